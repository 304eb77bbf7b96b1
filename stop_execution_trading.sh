#!/bin/sh
# Stop trading: the session ends in an orderly way (nothing new is sent, orders in
# flight are recorded), and the timer, the HTTP API and the signal sources are
# disabled. Lists what is still open.
#
#   ./stop_execution_trading.sh                 positions stay as they are
#   ./stop_execution_trading.sh --flatten       also cancel our orders, close
#       every position and set the kill switch
#   ./stop_execution_trading.sh --profile NAME  that of a profile
set -eu
cd "$(dirname "$0")"
. scripts/environment.sh
if help_of "$0" "$@"; then exit 0; fi
. scripts/service.sh
profile_of "$@"
flatten="" code=0
case $rest in
  "") ;;
  " --flatten") flatten=yes ;;
  *) say "error: unknown option:$rest"; exit 2 ;;
esac
environment requirements.txt
service "$profile"

if has_systemd && [ -f "$units/paper-trading-session.timer" ]; then
  systemctl --user stop "$unit.timer" "$unit.service"
  systemctl --user --quiet disable "$unit.timer" "$unit.service"
  say "stopped: $unit; the timer is off"
fi
if pid=$(session_pid); then
  kill -TERM "$pid"
  waited=0
  while kill -0 "$pid" 2>/dev/null; do
    [ $waited -lt 150 ] || { say "error: process $pid does not end; it may wait for the broker"; exit 1; }
    sleep 1
    waited=$((waited + 1))
  done
  say "stopped: the session, process $pid"
elif ! has_systemd; then
  say "no session was running"
fi
rm -f "$pid_file"
if [ -n "$flatten" ]; then
  # shellcheck disable=SC2046 # the options are words of their own
  rebalance kill --cancel --flatten --yes --reason "stopped with --flatten" $(config_options) || code=$?
fi
stop_web || say "warning: the HTTP API may still be running"
stop_drill || true
stop_sources || say "warning: the signal sources may still be asked"
say "what is left open:"
PYTHONPATH=$PWD "$PYTHON" -m rebalancer status >&2 || [ "$code" -ne 0 ] || code=$?
exit "$code"
