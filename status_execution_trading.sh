#!/bin/sh
# Show the current state in one screen: account, last and next cycle, alerts, and the session and its timer. Arguments
# go to `rebalancer status`; `--profile NAME` shows that profile.
set -eu
cd "$(dirname "$0")"
. scripts/environment.sh
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
  is() { systemctl --user show "$1" -p "$2" --value; }
  printf '%-9s%s' service "$(is "$unit.service" ActiveState)"
  result=$(is "$unit.service" Result)
  [ "$result" = success ] || printf ' ! last result: %s' "$result"
  text=$(is "$unit.service" StatusText)
  [ -z "$text" ] || printf '   %s' "$text"
  next=$(is "$unit.timer" NextElapseUSecRealtime)
  printf '\n%-9s%s   next %s\n' timer "$(is "$unit.timer" ActiveState)" "${next:-none}"
  if systemctl --user --quiet is-enabled "$web_unit.service" 2>/dev/null; then
    printf '%-9s%s   %s\n' web "$(is "$web_unit.service" ActiveState)" "$(is "$web_unit.service" StatusText)"
  fi
elif pid=$(session_pid); then
  printf '%-9sin the background, process %s (no systemd, no timer)\n' service "$pid"
else
  printf '%-9snot running; start it with: ./start_execution_trading.sh\n' service
fi
if pid=$(background_pid "$web_pid_file" 'rebalancer .*web serve'); then
  printf '%-9sin the background, process %s\n' web "$pid"
fi
