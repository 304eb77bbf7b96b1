#!/bin/sh
# Show the current state in one screen: account, last and next cycle, alerts, and
# the session and its timer.
#
#   ./status_execution_trading.sh
#   ./status_execution_trading.sh --watch          again every two seconds
#   ./status_execution_trading.sh --live           ask the broker too
#   ./status_execution_trading.sh --profile NAME   that of a profile
#
# Options are those of `rebalancer status`.
set -eu
cd "$(dirname "$0")"
. scripts/environment.sh
if help_of "$0" "$@"; then exit 0; fi
. scripts/service.sh
profile_of "$@"
environment requirements.txt
service "$profile"
# shellcheck disable=SC2086 # the arguments are words of their own
PYTHONPATH=$PWD "$PYTHON" -m rebalancer status $rest
case $rest in
  *--json*) exit 0 ;;
esac
if has_systemd && [ -f "$units/paper-trading-session.timer" ]; then
  printf '%-9s%s' service "$(property "$unit.service" ActiveState)"
  result=$(property "$unit.service" Result)
  [ "$result" = success ] || printf ' ! last result: %s' "$result"
  text=$(property "$unit.service" StatusText)
  [ -z "$text" ] || printf '   %s' "$text"
  next=$(property "$unit.timer" NextElapseUSecRealtime)
  printf '\n%-9s%s   next %s\n' timer "$(property "$unit.timer" ActiveState)" "${next:-none}"
  if systemctl --user --quiet is-enabled "$web_unit.service" 2>/dev/null; then
    printf '%-9s%s   %s\n' web "$(property "$web_unit.service" ActiveState)" "$(property "$web_unit.service" StatusText)"
  fi
  if systemctl --user --quiet is-enabled "$sources_unit.service" 2>/dev/null; then
    printf '%-9s%s   %s\n' sources "$(property "$sources_unit.service" ActiveState)" \
      "$(property "$sources_unit.service" StatusText)"
  fi
elif pid=$(session_pid); then
  printf '%-9sin the background, process %s (no systemd, no timer)\n' service "$pid"
else
  printf '%-9snot running, no timer\n' service
fi
if pid=$(background_pid "$web_pid_file" 'rebalancer .*web serve'); then
  printf '%-9sin the background, process %s\n' web "$pid"
fi
