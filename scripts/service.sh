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
    "") unit=paper-trading-session state=$base secrets=$config_home/paper-trading.env ;;
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
      unit=paper-trading-session@$profile state=$base/profiles/$profile
      secrets=$config_home/paper-trading@$profile.env
      export REBALANCER_PROFILE="$profile"
      ;;
  esac
  pid_file=$state/session.pid
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
  if [ -n "$profile" ] && has_keys "$config_home/paper-trading.env"; then
    say "error: profile $profile has no keys of its own; those of other accounts are never used for it"
    say "  hint: write them to $secrets, then chmod 600 $secrets"
    return 78
  fi
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
  found=$(systemd-analyze verify --user --man=no "$fresh"/paper-trading-session.* 2>&1) || true
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

# background_pid: print the process id of the session that runs without systemd; fails when there is none.
background_pid() {
  pid=$(cat "$pid_file" 2>/dev/null) || return 1
  case $pid in
    "" | *[!0-9]*) return 1 ;;
  esac
  kill -0 "$pid" 2>/dev/null || return 1
  # the process id may have been reused by another process
  if [ -r "/proc/$pid/cmdline" ]; then
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q 'rebalancer session' || return 1
  fi
  printf '%s\n' "$pid"
}
