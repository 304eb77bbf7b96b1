#!/bin/bash
# Run a command beside a real `systemd --user` and a real journald, in a box that is thrown away.
#
#   sudo tests/systemd/sdbox.sh COMMAND [ARGUMENT...]     as the box's user; the exit status is the command's
#
#   SDBOX_SHOW   paths, separated by colons, that the box sees read-only at their own place; FROM=TO shows one elsewhere
#   exit 77      it cannot run here: not root, no cgroup v2, no systemd
#
# PID 1 may be anything. No system manager runs, so nothing of the host is set up, cleaned or touched. The box has its own
# mounts, processes, IPC, network (loopback only: no test can reach a broker) and cgroup; /run, /tmp, /var/tmp, /var/log,
# /dev and the folders above SDBOX_SHOW are its own. The kernel ends what is left in it; nothing is looked for by name.
set -euo pipefail

BOX_USER_ID=4242
MANAGER=/lib/systemd/systemd
JOURNALD=/lib/systemd/systemd-journald

cannot() {
  echo "sdbox: skipped: $*" >&2
  exit 77
}

[ $# -ge 1 ] || { echo "usage: $0 COMMAND..." >&2; exit 64; }
[ "$(id -u)" = 0 ] || cannot "namespaces and a cgroup need root"
[ -x "$MANAGER" ] && [ -x "$JOURNALD" ] || cannot "systemd is not installed"

# the cgroup v2 hierarchy: all of it, or the one beside v1
hierarchy=""
for candidate in /sys/fs/cgroup /sys/fs/cgroup/unified; do
  if [ "$(stat -fc %T "$candidate" 2>/dev/null)" = cgroup2fs ]; then
    hierarchy=$candidate
    break
  fi
done
[ -n "$hierarchy" ] || cannot "there is no cgroup v2"
parent=$hierarchy$(sed -n 's/^0:://p' /proc/self/cgroup)
parent=${parent%/}
for old in "$parent"/sdbox.*; do # left by killed boxes; that of a living one may be empty for a moment
  [ -d "$old" ] && ! kill -0 "${old##*.}" 2>/dev/null || continue
  find "$old" -depth -type d -exec rmdir {} + 2>/dev/null || true
done
cgroup=$parent/sdbox.$$
mkdir "$cgroup" 2>/dev/null || cannot "$cgroup cannot be made"

clean() {
  echo 1 >"$cgroup/cgroup.kill" 2>/dev/null || true
  for _ in $(seq 50); do
    find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
    [ -d "$cgroup" ] || return 0
    sleep 0.1
  done
  echo "sdbox: $cgroup is still there" >&2
}
trap clean EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

inside=$(
  cat <<'INSIDE'
set -eu
mount --make-rprivate /

# what is to be seen, kept before the folders above it are covered
mount -t tmpfs -o mode=755 tmpfs /run
box=/run/sdbox home=$box/home runtime=/run/user/$BOX_USER_ID
mkdir -p $box/shown
number=0
old_ifs=$IFS; IFS=:
for path in ${SDBOX_SHOW:-}; do
  number=$((number + 1))
  mkdir $box/shown/$number
  mount --bind "${path%%=*}" $box/shown/$number
done
IFS=$old_ifs

# its own devices, logs and temporary folders
mkdir -p $box/dev/shm $box/dev/pts $box/log/journal $home/.config $box/state $runtime \
  /run/systemd/system /run/systemd/journal /run/systemd/journald.conf.d /run/systemd/unit-root /run/systemd/propagate
for name in null zero full random urandom tty; do
  : >$box/dev/$name
  mount --bind /dev/$name $box/dev/$name
done
mount -t tmpfs -o mode=1777 tmpfs $box/dev/shm
mount --bind /dev/pts $box/dev/pts
ln -s /proc/self/fd $box/dev/fd
ln -s fd/0 $box/dev/stdin
ln -s fd/1 $box/dev/stdout
ln -s fd/2 $box/dev/stderr
ln -s pts/ptmx $box/dev/ptmx
mount --rbind $box/dev /dev
mount --bind $box/log /var/log
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
mount -t tmpfs -o mode=1777 tmpfs /tmp

# show the paths where they were; a home folder that only root may enter is covered first
number=0
IFS=:
for path in ${SDBOX_SHOW:-}; do
  number=$((number + 1))
  path=${path#*=}
  top=/$(echo "$path" | cut -d/ -f2)
  if [ "$top" != /tmp ] && [ "$(stat -c %A "$top" | cut -c10)" != x ]; then
    mount -t tmpfs -o mode=755 tmpfs "$top"
  fi
  mkdir -p "$path"
  mount --bind $box/shown/$number "$path"
  mount -o remount,bind,ro "$path"
done
IFS=$old_ifs

# the cgroup namespace's root is the box
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up 2>/dev/null || python3 - <<'LOOPBACK' || true
import fcntl, socket, struct
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: up, running
LOOPBACK

# one user beside root
printf 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\nbox:x:%s:%s::%s:/bin/sh\n' \
  $BOX_USER_ID $BOX_USER_ID $home >$box/passwd
printf 'root:x:0:\nnogroup:x:65534:\nbox:x:%s:\n' $BOX_USER_ID >$box/group
mount --bind $box/passwd /etc/passwd
mount --bind $box/group /etc/group
chown -R $BOX_USER_ID:$BOX_USER_ID $home $box/state $runtime
chmod 700 $runtime $home

# journald tells by the cgroup's path which user unit wrote a line, so it must look like logind's
slice=/sys/fs/cgroup/user.slice/user-$BOX_USER_ID.slice/user@$BOX_USER_ID.service
mkdir -p /sys/fs/cgroup/root $slice/test.scope
echo $$ >/sys/fs/cgroup/root/cgroup.procs
chown -R $BOX_USER_ID:$BOX_USER_ID $slice
printf '[Journal]\nStorage=persistent\nReadKMsg=no\nAudit=no\nSplitMode=uid\nRateLimitIntervalSec=0\n' \
  >/run/systemd/journald.conf.d/box.conf
touch /run/systemd/journal/flushed

as_user="setpriv --reuid $BOX_USER_ID --regid $BOX_USER_ID --clear-groups --inh-caps=-all"
export HOME=$home USER=box LOGNAME=box XDG_RUNTIME_DIR=$runtime XDG_CONFIG_HOME=$home/.config STATE=$box/state LANG=C.UTF-8 \
  SYSTEMD_PAGER=cat SYSTEMD_COLORS=0 SYSTEMD_GENERATOR_PATH=/nonexistent SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/nonexistent
unset DBUS_SESSION_BUS_ADDRESS XDG_DATA_DIRS XDG_CONFIG_DIRS XDG_SESSION_ID XDG_STATE_HOME XDG_DATA_HOME
cd $home
$JOURNALD &
for _ in $(seq 100); do [ -S /run/systemd/journal/stdout ] && break; sleep 0.05; done
(
  echo $BASHPID >$slice/cgroup.procs
  exec $as_user $MANAGER --user --log-target=journal
) &
manager=$!
for _ in $(seq 100); do
  [ -S $runtime/systemd/private ] && break
  kill -0 $manager 2>/dev/null || { echo "sdbox: the user manager died" >&2; exit 70; }
  sleep 0.05
done
status=0
(
  echo $BASHPID >$slice/test.scope/cgroup.procs
  exec $as_user "$@"
) || status=$?
kill -TERM $manager 2>/dev/null || true
for _ in $(seq 40); do kill -0 $manager 2>/dev/null || break; sleep 0.05; done
exit $status
INSIDE
)
export BOX_USER_ID MANAGER JOURNALD SDBOX_SHOW=${SDBOX_SHOW:-}
(
  echo $BASHPID >"$cgroup/cgroup.procs"
  exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL --mount-proc --ipc --net --cgroup -- \
    bash -c "$inside" sdbox "$@"
) &
status=0
wait $! 2>/dev/null || status=$?
exit $status
