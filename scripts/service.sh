# Sourced by the start, status and stop scripts: the names of units and folders, with and without systemd.
#
# `service PROFILE` sets the names; PROFILE may be empty. Without a systemd user instance the session runs as a
# background process, with its process id and its output in the state folder.

service() {
  profile=$1
  base=${XDG_STATE_HOME:-$HOME/.local/state}/rebalancer
  config_home=${XDG_CONFIG_HOME:-$HOME/.config}
  units=$config_home/systemd/user
  case $profile in
    "")
      unit=paper-trading-session web_unit=rebalancer-web sources_unit=rebalancer-sources drill_unit=rebalancer-drill
      state=$base secrets=$config_home/paper-trading.env
      ;;
    *[!A-Za-z0-9_-]*)
      say "error: $profile is not a profile name: letters, digits, dash and underscore"
      return 2
      ;;
    *)
      [ -f "config/profiles/$profile.yaml" ] || {
        say "error: there is no config/profiles/$profile.yaml"
        say "  hint: there are: $(cd config/profiles 2>/dev/null && ls | sed -n 's/[.]yaml$//p' | tr '\n' ' ')"
        return 78
      }
      unit=paper-trading-session@$profile web_unit=rebalancer-web@$profile
      sources_unit=rebalancer-sources@$profile drill_unit=rebalancer-drill@$profile state=$base/profiles/$profile
      secrets=$config_home/paper-trading@$profile.env
      export REBALANCER_PROFILE="$profile"
      ;;
  esac
  pid_file=$state/session.pid web_pid_file=$state/web.pid
}

# profile_of ARGUMENT...: remove `--profile NAME` from the arguments and set $profile; the others are left in $rest.
profile_of() {
  profile="" rest=""
  while [ $# -gt 0 ]; do
    case $1 in
      --profile)
        [ $# -ge 2 ] || { say "error: --profile needs a name"; return 2; }
        profile=$2
        shift 2
        ;;
      --profile=*)
        profile=${1#*=}
        shift
        ;;
      *) rest="$rest $1"; shift ;;
    esac
  done
}

# become COMMAND...: replace this shell with the program, which reads this profile's env file itself.
become() {
  export PYTHONPATH="$PWD"
  exec "$PYTHON" -m rebalancer "$@"
}

# rebalance COMMAND...: run the program as a child process.
rebalance() {
  (become "$@")
}

# config_options: the options of this profile, on stdout.
config_options() {
  [ -z "$profile" ] || printf -- '--profile %s' "$profile"
}

# has_keys FILE...: whether any of these files names a key or the source of one.
has_keys() {
  grep -qsE 'APCA_|REBALANCER_AWS_SECRET|REBALANCER_ENVIRONMENT|LoadCredential|SetCredential|EnvironmentFile' "$@"
}

# has_account FILE: whether an env file is about an account; that of a newcomer who practises is not.
has_account() {
  grep -vsE '^ *(#|$|REBALANCER_ENVIRONMENT=development *$)' "$1" | grep -qE 'APCA_|REBALANCER_AWS_SECRET|REBALANCER_ENVIRONMENT'
}

# without_account: let the unit trade on the embedded exchange when no account has been configured, and say so. Needed only
# with systemd: a unit counts as production and would refuse to start. Fails when there are keys that the unit cannot see.
without_account() {
  if [ -e "$secrets" ] || has_keys "$units/$unit.service.d/"*.conf "$units/paper-trading-session@.service.d/"*.conf ||
    systemctl --user show-environment | grep -qE '^(APCA_|REBALANCER_AWS_SECRET=|REBALANCER_ENVIRONMENT=)'; then
    return 0
  fi
  if [ -n "${APCA_API_KEY_ID:-}${APCA_API_SECRET_KEY:-}${APCA_API_BASE_URL:-}${REBALANCER_AWS_SECRET:-}" ]; then
    say "error: there are keys in this shell, but the service does not see them"
    say "  hint: write them to $secrets, one NAME=value a line, then chmod 600 $secrets"
    return 78
  fi
  if [ -n "$profile" ] && has_account "$config_home/paper-trading.env"; then
    say "error: profile $profile has no keys of its own; those of other accounts are never used for it"
    say "  hint: write them to $secrets, then chmod 600 $secrets"
    return 78
  fi
  mkdir -p "$config_home"
  printf '%s\n' '# Practise on the embedded exchange. Remove this line when you write your keys here.' \
    'REBALANCER_ENVIRONMENT=development' >"$secrets"
  say "no account is configured: practising on the embedded exchange (REBALANCER_ENVIRONMENT=development in $secrets)"
}

# has_systemd: whether a systemd user instance is running for this user.
has_systemd() {
  command -v systemctl >/dev/null 2>&1 && systemctl --user show-environment >/dev/null 2>&1
}

# install_units: fill in the paths, verify the units, and install those that have changed.
install_units() {
  case $PWD$PYTHON in
    *[!A-Za-z0-9/._+@~-]*)
      say "error: $PWD: systemd needs a folder without spaces and special characters"
      say "  hint: move the project, such as to ~/rebalancer"
      return 1
      ;;
  esac
  mkdir -p "$units"
  fresh=$(mktemp -d)
  for source in systemd/*.service systemd/*.timer; do
    sed -e "s#@PROJECT@#$PWD#g" -e "s#@PYTHON@#$PYTHON#g" "$source" >"$fresh/${source##*/}"
  done
  found=$(systemd-analyze verify --user --man=no "$fresh"/paper-trading-session.* "$fresh"/rebalancer-web.service "$fresh"/rebalancer-sources.service "$fresh"/rebalancer-drill.* 2>&1) || true
  if [ -n "$found" ]; then
    say "error: systemd does not take the units as they are; nothing was installed"
    say "$found"
    rm -r "$fresh"
    return 1
  fi
  changed=""
  for file in "$fresh"/*; do
    name=${file##*/}
    if ! cmp -s "$file" "$units/$name"; then
      cp "$file" "$units/.$name.new"
      mv "$units/.$name.new" "$units/$name"
      changed="$changed $name"
    fi
  done
  rm -r "$fresh"
  if [ -n "$changed" ]; then
    systemctl --user daemon-reload
    say "units installed in $units:$changed"
  else
    say "units in $units are up to date"
  fi
}

# has_web: whether `web.enabled` is true.
has_web() {
  # shellcheck disable=SC2046 # the options are words of their own
  rebalance config show --json $(config_options) | "$PYTHON" -c \
    'import json, sys; sys.exit(not json.load(sys.stdin)["rules"]["web"]["enabled"])'
}

# start_web: run the HTTP API when it is enabled, end it when it is not. Called with `||`: nothing of it may stop trading.
start_web() {
  if ! has_web; then
    stop_web
    return 0
  fi
  if ! environment requirements-web.txt; then
    say "warning: the HTTP API was not started; trading goes on without it"
  elif has_systemd; then
    systemctl --user --quiet enable "$web_unit.service"
    systemctl --user reset-failed "$web_unit.service" 2>/dev/null || true
    if systemctl --user start "$web_unit.service"; then
      say "started: $web_unit, $(systemctl --user show "$web_unit.service" -p StatusText --value)"
    else
      say "warning: the HTTP API did not start; trading goes on without it"
      say "  hint: journalctl --user -u $web_unit -n 20"
    fi
  elif pid=$(background_pid "$web_pid_file" 'rebalancer .*web serve'); then
    say "the HTTP API is already running in the background, process $pid"
  else
    log=$state/web.log
    : >"$log"
    # shellcheck disable=SC2046 # the options are words of their own
    (
      trap '' HUP
      become $(config_options) web serve
    ) >>"$log" 2>&1 </dev/null &
    pid=$!
    echo $pid >"$web_pid_file"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
      sleep 1
      if grep -q '^web: ' "$log"; then
        say "the HTTP API runs in the background, process $pid, $(grep '^web: ' "$log")"
        return 0
      fi
      kill -0 "$pid" 2>/dev/null || break
    done
    say "warning: the HTTP API did not start; trading goes on without it; see $log"
  fi
}

# stop_web: end the HTTP API, and do not start it again at boot.
stop_web() {
  if has_systemd && [ -f "$units/rebalancer-web.service" ]; then
    if systemctl --user --quiet is-enabled "$web_unit.service" 2>/dev/null ||
      systemctl --user --quiet is-active "$web_unit.service"; then
      systemctl --user stop "$web_unit.service"
      systemctl --user --quiet disable "$web_unit.service"
      say "stopped: $web_unit"
    fi
  fi
  if pid=$(background_pid "$web_pid_file" 'rebalancer .*web serve'); then
    kill -TERM "$pid"
    say "stopped: the HTTP API, process $pid"
  fi
  rm -f "$web_pid_file"
}

# start_sources: run the unit that asks the signal sources when any is enabled, end it when none is. Called with `||`:
# nothing of it may stop trading. Without systemd the session starts that process itself.
start_sources() {
  has_systemd || return 0
  # shellcheck disable=SC2046 # the options are words of their own
  names=$(rebalance sources list --enabled $(config_options)) || names=""
  if [ -z "$names" ]; then
    stop_sources
    return 0
  fi
  systemctl --user --quiet enable "$sources_unit.service"
  systemctl --user reset-failed "$sources_unit.service" 2>/dev/null || true
  if systemctl --user restart "$sources_unit.service"; then
    say "started: $sources_unit, $(echo "$names" | tr '\n' ' ')"
  else
    say "warning: the signal sources did not start; trading goes on without their votes"
    say "  hint: journalctl --user -u $sources_unit -n 20"
  fi
}

# stop_sources: end that unit, and do not start it again at boot.
stop_sources() {
  if has_systemd && [ -f "$units/rebalancer-sources.service" ]; then
    if systemctl --user --quiet is-enabled "$sources_unit.service" 2>/dev/null ||
      systemctl --user --quiet is-active "$sources_unit.service"; then
      systemctl --user stop "$sources_unit.service"
      systemctl --user --quiet disable "$sources_unit.service"
      say "stopped: $sources_unit"
    fi
  fi
}

# start_drill: have the newest backup restored into a temporary folder every week. Called with `||`.
start_drill() {
  systemctl --user --quiet enable "$drill_unit.timer" && systemctl --user start "$drill_unit.timer"
}

# stop_drill: no more of that.
stop_drill() {
  if has_systemd && [ -f "$units/rebalancer-drill.timer" ]; then
    systemctl --user stop "$drill_unit.timer"
    systemctl --user --quiet disable "$drill_unit.timer"
  fi
}

# background_pid FILE PATTERN: print the process id in a file when that process runs, without systemd, and its command line
# matches; fails when there is none.
background_pid() {
  pid=$(cat "$1" 2>/dev/null) || return 1
  case $pid in
    "" | *[!0-9]*) return 1 ;;
  esac
  kill -0 "$pid" 2>/dev/null || return 1
  # the process id may have been reused by another process
  if [ -r "/proc/$pid/cmdline" ]; then
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q "$2" || return 1
  fi
  printf '%s\n' "$pid"
}

# session_pid: print the process id of the session that runs without systemd; fails when there is none.
session_pid() {
  background_pid "$pid_file" 'rebalancer session'
}

# has_begun PID: whether a session that was started in the background has told what it does, or has ended.
has_begun() {
  if grep -qs "\"pid\": $1," "$state"/*/session.json; then return 0; fi
  # until it has replaced the shell, the shell's own command line stands there
  ! background_pid "$pid_file" 'rebalancer session\|start_execution_trading' >/dev/null
}

# last_words LOG: why a session has ended in an orderly way; fails when it has not.
last_words() {
  tail -n 1 "$1" | grep -q '^session: \|"session_ended"' || return 1
  tail -n 1 "$1" | sed 's/^session: //'
}

# property UNIT NAME: one property of a unit of the user's systemd.
property() { systemctl --user show "$1" -p "$2" --value; }

# tell_service: wait until the session has told what it does or has ended, and say it, with the time of the next one.
tell_service() {
  for _ in $(seq 150); do
    now=$(property "$unit.service" ActiveState)/$(property "$unit.service" SubState)
    text=$(property "$unit.service" StatusText) # after the state: of a unit that has ended it is the last one
    case $now/$text in
      active/*/ | active/*/preparing | activating/start* | deactivating/*) sleep 0.2 ;;
      active/*) say "session: $text"; break ;;
      */auto-restart | failed/*)
        say "warning: the session has failed ($(property "$unit.service" Result)); its log: journalctl --user -u $unit"
        break
        ;;
      *) say "session: ${text:-it has ended}"; break ;;
    esac
  done
  next=$(property "$unit.timer" NextElapseUSecRealtime)
  say "timer: next start ${next:-not planned}"
}
