#!/bin/bash
# Run a command in a root file system of its own, as a container engine runs one: own mounts, processes, IPC and network
# (loopback alone), and what ROOT holds. The command is process 1.
#
#   sudo tests/packaging/rootbox.sh ROOT COMMAND [ARGUMENT...]
#
#   BOX_SHOW     paths, separated by colons, that are seen read-only at their own place
#   BOX_USER     UID:GID to run as, without any capability, and ROOT is read-only then; without it root runs, and may write
#   BOX_VOLUME   FROM=TO: a folder that is mounted there, and may be written to
#   BOX_FOLDER   the folder to run it in
#   exit 77      it cannot run here: not root
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: $0 ROOT COMMAND..." >&2; exit 64; }
[ "$(id -u)" = 0 ] || { echo "rootbox: skipped: namespaces need root" >&2; exit 77; }

inside=$(
  cat <<'INSIDE'
set -eu
root=$1
shift
mount --make-rprivate /
ip link set lo up 2>/dev/null || python3 - <<'LOOPBACK'
import fcntl, socket, struct
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: up, running
LOOPBACK
mount --bind "$root" "$root"
mkdir -p "$root"/proc "$root"/dev "$root"/tmp
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"  # before what is seen: that may be somewhere in it
old_ifs=$IFS; IFS=:
for path in ${BOX_SHOW:-}; do
  mkdir -p "$root$path"
  mount --bind "$path" "$root$path"
  mount -o remount,bind,ro "$root$path"
done
IFS=$old_ifs
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom; do
  : >"$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir -m 1777 "$root/dev/shm"
if [ -n "${BOX_VOLUME:-}" ]; then
  mount --bind "${BOX_VOLUME%%=*}" "$root${BOX_VOLUME#*=}"
fi
as=()
if [ -n "${BOX_USER:-}" ]; then
  mount -o remount,bind,ro "$root"
  as=(setpriv --reuid "${BOX_USER%:*}" --regid "${BOX_USER#*:}" --clear-groups --inh-caps=-all --bounding-set=-all
    --no-new-privs --pdeathsig KILL)  # again: a new user id forgets what unshare has set
fi
folder=${BOX_FOLDER:-/}
unset BOX_SHOW BOX_USER BOX_VOLUME BOX_FOLDER
cd "$root"
pivot_root . .
umount -l .
cd "$folder"
exec ${as[@]+"${as[@]}"} "$@"
INSIDE
)
exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL --ipc --net -- bash -c "$inside" rootbox "$@"
