#!/bin/sh
# refuse_open_file.sh FILE: fail when a file of secrets exists and anyone but its owner could read or replace it.
set -eu
file=$1
[ -e "$file" ] || [ -L "$file" ] || exit 0
refuse() {
  printf 'error: %s: %s\n  hint: chmod 600 %s\n' "$file" "$1" "$file" >&2
  exit 78
}
[ ! -L "$file" ] || refuse "is a symbolic link; secrets must be a plain file"
[ -f "$file" ] || refuse "is not a regular file"
[ -O "$file" ] || [ "$(stat -c %u "$file")" = "$(id -u)" ] || refuse "belongs to another user"
case $(stat -c %a "$file") in
  600 | 400) ;;
  *) refuse "others may read it (mode $(stat -c %a "$file"))" ;;
esac
