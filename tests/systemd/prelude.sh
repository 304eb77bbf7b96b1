# Sourced in the box: a copy of the project in the box user's home, with an environment that is there already.
set -eu
project=$HOME/project
mkdir -p "$project/.venv/bin"
cp -r "$SOURCE"/rebalancer "$SOURCE"/config "$SOURCE"/scripts "$SOURCE"/systemd "$SOURCE"/signals "$SOURCE"/*.sh \
  "$SOURCE"/requirements.txt "$SOURCE"/requirements-web.txt "$project"
cp "$ENVIRONMENT/pyvenv.cfg" "$project/.venv/"
ln -s "$ENVIRONMENT/lib" "$project/.venv/lib"
ln -s "$BASE_PYTHON" "$project/.venv/bin/python"
for lock in requirements.txt requirements-web.txt; do
  cksum <"$project/$lock" >"$project/.venv/stamp-$lock"
done
mkdir -p "$project/reports" "$HOME/.ssh"
echo key >"$HOME/.ssh/id"
cd "$project"
state=$HOME/.local/state/rebalancer
python=$project/.venv/bin/python
unit=paper-trading-session
export REBALANCER_ENVIRONMENT=development  # the boxes practise on the embedded exchange without asking for it
systemctl --user set-environment REBALANCER_ENVIRONMENT=development 2>/dev/null || true

# drop_in UNIT LINE...: change a unit as a user would, with a file beside it.
drop_in() {
  folder=$HOME/.config/systemd/user/$1.d
  mkdir -p "$folder"
  shift
  printf '%s\n' "$@" >"$folder/test.conf"
}

# until_is UNIT PROPERTY VALUE: wait until a unit's property has a value; say what it has when it never does.
until_is() {
  for _ in $(seq 6000); do
    found=$(systemctl --user show "$1" -p "$2" --value)
    case $found in
      $3) return 0 ;;
    esac
    sleep 0.1
  done
  echo "$1: $2 is $found, never $3" >&2
  journalctl --user --no-pager -n 50 >&2
  return 1
}

# waits_for COMMAND...: wait until a command succeeds.
waits_for() {
  for _ in $(seq 6000); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  echo "never: $*" >&2
  journalctl --user --no-pager -n 50 >&2
  return 1
}

# said UNIT: what a unit wrote to the journal of the machine.
said() { journalctl --user -u "$1" -o cat --no-pager; }

# slots: how the slots of the rebalancer's own journal ended, and how many times each alert stands in it.
slots() {
  "$python" - "$state/$1/journal.sqlite" <<'P'
import collections, json, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT kind, key, cycle_id, body FROM events").fetchall()
rows = [row for row in rows if row[0] == "alert" or len(row[2] or "") == len("2026-11-20T14:30Z")]  # exits have longer ids
ends = [json.loads(body)["outcome"] for kind, _, _, body in rows if kind in ("cycle_ended", "slot")]
names = [cycle for kind, _, cycle, _ in rows if kind in ("cycle_ended", "slot")]
alerts = [json.loads(body)["code"] for kind, _, _, body in rows if kind == "alert"]
print(json.dumps({"ends": collections.Counter(ends), "twice": len(names) - len(set(names)), "alerts": collections.Counter(alerts)}))
P
}

# has_intents MODE: whether an order was ever intended.
has_intents() {
  "$python" - "$state/$1/journal.sqlite" <<'P'
import sqlite3, sys
sys.exit(0 if sqlite3.connect(sys.argv[1]).execute("SELECT 1 FROM events WHERE kind = 'order_intended'").fetchone() else 1)
P
}
