# Lists all that there is to know of the files below the directory $1: names, types, modes, owners, sizes, times, links,
# devices, attributes, contents. Two trees are the same when their lists are.
set -eu
cd "$1"
{
  find . -printf '%P|%y|%m|%U|%G|%s|%T@|%l|%n\0'
  find . \( -type b -o -type c \) -printf '%P\0' | xargs -0 -r stat -c '%n %t:%T'
  find . -exec getfattr -h -d -m - -e hex {} +
  find . -type f -exec sha256sum {} +
} | tr '\0' '\n' | LC_ALL=C sort
