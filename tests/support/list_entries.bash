# Lists the files below the directory $1 as list_tree.bash does, without what differs between filesystems: the sizes and
# link counts of directories, and the attributes of an overlay.
set -eu
cd "$1"
{
  find . -type d -printf '%P|%y|%m|%U|%G|%T@\0'
  find . ! -type d -printf '%P|%y|%m|%U|%G|%s|%T@|%l|%n\0'
  find . \( -type b -o -type c \) -printf '%P\0' | xargs -0 -r stat -c '%n %t:%T'
  find . -exec getfattr -h -d -m - -e hex {} + | grep -v '^trusted\.overlay\.'
  find . -type f -exec sha256sum {} +
} | tr '\0' '\n' | LC_ALL=C sort
