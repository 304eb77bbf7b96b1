#!/bin/sh
# Start trading: today's session now, and one on every trading day from the
# systemd timer. Running it twice has the same effect as running it once.
#
#   ./start_execution_trading.sh
#   ./start_execution_trading.sh --profile NAME    also the rules of
#       config/profiles/NAME.yaml, with its own keys, state and reports
#
# On a day without trading it says when the next session opens. Without systemd
# the session runs in the background until the end of the day. The HTTP API starts
# too, as a unit of its own, when web.enabled is true, and so does the process
# that asks the signal sources, when one is enabled.
set -eu
cd "$(dirname "$0")"
. scripts/environment.sh
if help_of "$0" "$@"; then exit 0; fi
. scripts/service.sh
profile_of "$@"
[ -z "$rest" ] || { say "error: unknown option:$rest"; exit 2; }
environment requirements.txt
service "$profile"
umask 077
sh scripts/refuse_open_file.sh "$secrets"
mkdir -p "$state" reports
[ ! -f "$secrets" ] || say "keys: $secrets"
# shellcheck disable=SC2046 # the options are words of their own
rebalance config check $(config_options)

if has_systemd; then
  without_account
  install_units
  systemctl --user --quiet enable "$unit.service" "$unit.timer"
  systemctl --user start "$unit.timer"
  start_sources || say "warning: the signal sources were not started; trading goes on without their votes"
  start_drill || say "warning: backups are not restored for a try every week; by hand: rebalancer db drill"
  systemctl --user reset-failed "$unit.service" 2>/dev/null || true
  systemctl --user start --no-block "$unit.service"
  say "started: $unit"
  tell_service
  if command -v loginctl >/dev/null 2>&1 && [ "$(loginctl show-user "$(id -un)" -p Linger --value 2>/dev/null)" != yes ]; then
    say "note: it stops when you log out; to go on without you: loginctl enable-linger $(id -un)"
  fi
elif pid=$(session_pid); then
  say "already running in the background, process $pid"
else
  log=$state/session.log
  # shellcheck disable=SC2046 # the options are words of their own
  (
    trap '' HUP # the session continues when the terminal closes
    export REBALANCER_LOG="${REBALANCER_LOG:-human}" # people read this file
    become session $(config_options)
  ) >>"$log" 2>&1 </dev/null &
  pid=$!
  echo "$pid" >"$pid_file"
  for _ in $(seq 60); do
    if has_begun "$pid"; then break; fi
    sleep 1
  done
  if pid=$(session_pid); then
    say "the session runs in the background, process $pid, until the end of the day; output: $log"
  elif ended=$(last_words "$log"); then
    say "$ended"
  else
    say "error: the session ended at once; its last words:"
    tail -n 5 "$log" >&2
    exit 1
  fi
  say "this machine has no systemd for you, so there is no timer: start it again on the next trading day"
fi
start_web || say "warning: the HTTP API was not started; trading goes on without it"
say "status: ./status_execution_trading.sh   stop: ./stop_execution_trading.sh"
