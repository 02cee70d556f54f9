# shellcheck shell=bash
# One guest of scripts/vm: what it is made of, and its life. Read by scripts/vm, which sets PROJECT, `environment`
# (KEY=VALUE words for the command), `show_console`, `results` (a file for a copy of the output), and has `fail`.
#
#   find_host_parts CGROUP…                  once: kernel, programs; fails with the package to install
#   boot CGROUP SECONDS COMMAND ARGUMENT…    passes on what the command prints, sets guest_status
#   undo                                     ends and removes what boot made; to be called on every way out

# Modules that the guest needs before it can read any from the host's root.
readonly BOOT_MODULES=(virtio_pci virtio_blk virtio_console virtio_rng virtiofs overlay)
# Directories that must not be on an overlay: Linux refuses an overlay's upper directory there, and containers
# need one. They are on a fresh ext4 in the guest.
readonly PLAIN_DIRECTORIES=(/tmp /var/tmp /var/lib/paddock /var/lib/containers)

# What is to be undone, whatever happens.
work=          # directory of the guest: sockets, disks, initramfs
processes=()   # process ids that we started for it

# --- what the guest is made of -------------------------------------------------------------------------------

# Sets kernel, modules, virtiofsd and deno; fails with the package to install.
find_host_parts() {
  [ "$(uname -m)" = x86_64 ] || fail "the guest is x86_64 and shares this host's programs, which are $(uname -m)"
  [ "$(id -u)" -eq 0 ] || fail "virtiofsd must read every file of the root: run as root"
  need qemu-system-x86_64 qemu-system-x86
  need busybox busybox-static
  need cpio cpio
  need modprobe kmod
  need mkfs.ext4 e2fsprogs
  need setpriv util-linux
  need flock util-linux
  ! ldd "$(command -v busybox)" >/dev/null 2>&1 || fail "busybox is not static: apt-get install busybox-static"
  virtiofsd=
  local path
  for path in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd; do
    [ ! -x $path ] || virtiofsd=$path
  done
  [ -n "$virtiofsd" ] || fail "no virtiofsd: apt-get install qemu-system-x86 (Debian 12) or virtiofsd (later)"
  # The program itself: what PATH names may be a script for another interpreter, which costs double in there.
  deno=$(deno eval --no-config 'console.log(Deno.execPath())') || fail "no deno on PATH"
  find_kernel
  guest_root=
  case " $* " in
    *" systemd"*) find_systemd_root ;;
  esac
}

# Sets `guest_root`: the root filesystem with systemd, made once for this host as those of the tests are.
find_systemd_root() {
  need debootstrap debootstrap
  echo "vm: looking for a root filesystem with systemd, or making one" >&2
  guest_root=$(make_fixture systemd) || fail "no root filesystem with systemd: see above"
}

# Prints the directory of the root filesystem `systemd` or `busybox` of tests/support/fixtures.ts, which is made if need be.
make_fixture() {
  "$deno" run --quiet --allow-all --no-lock --import-map "$PROJECT/scripts/offline/import_map.json" \
    "$PROJECT/tests/support/fixtures.ts" "$1"
}

need() {
  [ -n "$(PATH=$PATH:/usr/sbin:/sbin type -P "$1")" ] || fail "no $1: apt-get install $2"
}

# The newest cloud kernel with its modules: installed, or unpacked from its package into a cache. A container
# or chroot can do the latter without the package's boot-loader hooks.
find_kernel() {
  local cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/paddock-vm prefix version
  for prefix in "" "$cache"; do
    while read -r version; do
      kernel=$prefix/boot/vmlinuz-$version
      modules=$prefix/lib/modules
      module_root=$prefix
      kernel_version=$version
      [ -d "$modules/$version/kernel" ] && return
    done < <(printf '%s\n' "$prefix"/boot/vmlinuz-*-cloud-amd64 | sed 's/.*vmlinuz-//' | sort -rV)
    [ -n "$prefix" ] || download_kernel "$cache"
  done
  fail "no kernel /boot/vmlinuz-*-cloud-amd64 with its modules: apt-get install linux-image-cloud-amd64"
}

download_kernel() {
  local cache=$1 package
  [ -z "$(compgen -G "$cache/boot/vmlinuz-*")" ] || return 0
  package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/ *Depends: \(linux-image-[0-9].*\)/\1/p')
  [ -n "$package" ] || return 0
  mkdir -p "$cache"
  echo "vm: unpacking $package into $cache" >&2
  (cd "$cache" && apt-get download -q "$package" >&2 && dpkg -x "$package"_*.deb . && rm -f "$package"_*.deb &&
    depmod -b . "${package#linux-image-}") || rm -rf "$cache"
}

# busybox, the first modules, tests/vm/init, and what it is to run.
make_initramfs() {
  local cgroup=$1 tree=$work/initramfs n=10 module
  shift
  mkdir -p "$tree"/{bin,dev,proc,sys,modules,lower,scratch,root,vm}
  cp "$(command -v busybox)" "$tree/bin/busybox"
  cp "$PROJECT/tests/vm/init" "$tree/init"
  while read -r _ module _; do
    # The names carry the order in which they are to be loaded.
    case $module in
      *.xz) xz -dc "$module" >"$tree/modules/$n-$(basename "$module" .xz)" ;;
      *) cp "$module" "$tree/modules/$n-$(basename "$module")" ;;
    esac
    n=$((n + 1))
  done < <(for module in "${BOOT_MODULES[@]}"; do
    modprobe -d "${module_root:-/}" -S "$kernel_version" --show-depends "$module"
  done | awk '$1 == "insmod" && !seen[$2]++')
  [ $n -gt 10 ] || fail "modprobe finds no virtio modules for $kernel_version: apt-get install linux-image-cloud-amd64"
  {
    printf 'CGROUP=%q\nPLAIN_DIRECTORIES=%q\n' "$cgroup" "${PLAIN_DIRECTORIES[*]}"
    printf 'MODULES=%q\n' "$modules"
    printf 'ROOT=%q\n' "$(case $cgroup in systemd*) echo "$guest_root" ;; esac)"
  } >"$tree/vm/settings"
  printf '%s\n' "${shares[@]}" >"$tree/vm/shares"
  write_command "$cgroup" "$@" >"$tree/vm/command"
  (cd "$tree" && find . -print0 | cpio --null --quiet -o -H newc) >"$work/initramfs.cpio"
}

# The script that the guest's bash runs: same directory, a small environment, then the command.
write_command() {
  local cgroup=$1 pair
  shift
  local name pairs=()
  for name in $(compgen -e PADDOCK_); do
    pairs+=("$name=${!name}")
  done
  pairs+=(
    "PATH=$(dirname "$deno"):$PATH" "HOME=${HOME:-/root}" "LANG=${LANG:-C.UTF-8}" "DENO_DIR=$deno_dir"
    DENO_NO_UPDATE_CHECK=1 "PADDOCK_GUEST=$cgroup" "${environment[@]}"
  )
  [ -t 1 ] || pairs+=(NO_COLOR=1)
  for pair in "${pairs[@]}"; do
    printf 'export %s=%q\n' "${pair%%=*}" "${pair#*=}"
  done
  printf 'cd %q || exit 125\nexec' "$PWD"
  printf ' %q' "$@"
  printf '\n'
}

# --- the life of one guest -----------------------------------------------------------------------------------

# Boots a guest, passes on what the command in it prints, sets guest_status to its exit code. (Not returned: where
# a function's status is looked at, bash no longer stops it at the first error.)
boot() {
  local cgroup=$1 seconds=$2
  shift 2
  guest_status=0
  remove_leftovers
  work=$(mktemp -d "${TMPDIR:-/tmp}/paddock-vm.XXXXXX")
  # Everything started from here on inherits this lock: it is free when the last of them is gone.
  exec {lock}>"$work/locking"
  flock "$lock"
  mv "$work/locking" "$work/lock"
  deno_dir=$(realpath -m "${DENO_DIR:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/deno}")
  mkdir -p "$deno_dir"
  shares=("$PWD" "$PROJECT" "$deno_dir" "$(dirname "$deno")" "$modules")
  # Root filesystems that tests have made before.
  local fixtures=${PADDOCK_FIXTURES:-/var/cache/paddock-fixtures}
  [ ! -d "$fixtures" ] || shares+=("$(realpath "$fixtures")")

  make_initramfs "$cgroup" "$@"
  make_disks
  start_virtiofsd
  start_qemu "$seconds"
  wait "$qemu" || guest_status=$?
  unset 'processes[-1]'
  # With QEMU gone nobody writes any more: let the readers come to the end.
  close_ports
  wait "${readers[@]}" || true

  # shellcheck disable=SC2154 # set by scripts/vm
  if [ "$show_console" = yes ]; then
    cat "$work/console" >&2
  fi
  if [ $guest_status -eq 124 ]; then
    echo "vm: the guest was stopped after $seconds s" >&2
  elif [ -s "$work/code" ]; then
    guest_status=$(tr -dc 0-9 <"$work/code")
  else
    # Neither time nor command: the kernel or init gave up.
    tail -n 20 "$work/console" "$work/qemu.log" "$work/virtiofsd.log" >&2 || true
    echo "vm: the guest ended without running the command; its last words are above" >&2
    guest_status=125
  fi
  undo
}

# A guest that was ended by SIGKILL took QEMU and virtiofsd with it, but could not remove its directory.
remove_leftovers() {
  local directory
  for directory in "${TMPDIR:-/tmp}"/paddock-vm.*; do
    if [ -O "$directory" ] && [ -f "$directory/lock" ]; then
      flock --nonblock "$directory/lock" rm -rf --one-file-system "$directory" || true
    fi
  done
}

make_disks() {
  truncate -s 8G "$work/scratch"
  mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=1 "$work/scratch"
  truncate -s 256M "$work/swap"
  mkswap -q "$work/swap" 2>/dev/null || mkswap "$work/swap" >/dev/null
  truncate -s 64M "$work/spare"
}

# Serves the host's root to the guest. virtiofsd can only write-protect what is mounted read only, so it gets a
# mount namespace with such a view, which ends with it.
start_virtiofsd() {
  local view=$work/view
  mkdir "$view"
  # shellcheck disable=SC2016 # expanded by the inner shell
  setpriv --pdeathsig KILL unshare --mount --propagation private bash -euc '
    view=$1 socket=$2 virtiofsd=$3
    shift 3
    show() { mount --bind "$1" "$view$1" && mount -o remount,bind,ro "$view$1"; }
    show /
    # Directories that lie on other filesystems are not part of that view.
    for share; do
      [ "$(stat -c %d "$share")" = "$(stat -c %d "$view$share" 2>/dev/null)" ] || show "$share"
    done
    exec "$virtiofsd" --socket-path="$socket" -o source="$view" -o cache=always -o sandbox=chroot -o xattr -f
  ' view "$view" "$work/root.socket" "$virtiofsd" "${shares[@]}" </dev/null >"$work/virtiofsd.log" 2>&1 &
  processes+=($!)
  local tries=0
  until [ -S "$work/root.socket" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 200 ] || ! kill -0 "${processes[-1]}" 2>/dev/null; then
      cat "$work/virtiofsd.log" >&2
      fail "virtiofsd did not start"
    fi
    sleep 0.05
  done
}

start_qemu() {
  # KVM only where it is asked for: inside a virtual machine /dev/kvm may be there and a guest hang all the same.
  local seconds=$1 name accel="tcg,thread=multi,tb-size=512"
  [ "${PADDOCK_KVM-}" != 1 ] || accel=kvm
  local options=(
    -nodefaults -no-user-config -display none -no-reboot
    -machine "pc,memory-backend=memory" -cpu max -smp 2 -m 2G
    -accel "$accel"
    # Shared memory is how virtiofsd sees the guest's requests.
    -object "memory-backend-memfd,id=memory,size=2G,share=on"
    -kernel "$kernel" -initrd "$work/initramfs.cpio" -append "$(print_kernel_line)"
    -chardev "file,id=console,path=$work/console" -serial chardev:console
    -chardev "socket,id=root,path=$work/root.socket"
    -device "vhost-user-fs-pci,chardev=root,tag=root,queue-size=1024"
    -device virtio-rng-pci -device virtio-serial-pci
  )
  for name in scratch swap spare; do
    # The serial number is how init tells them apart.
    options+=(-drive "if=none,id=$name,format=raw,cache=unsafe,file=$work/$name")
    options+=(-device "virtio-blk-pci,drive=$name,serial=$name")
  done
  for name in stdout stderr code; do
    options+=(-chardev "file,id=$name,path=$work/$name" -device "virtserialport,chardev=$name,name=$name")
  done
  open_ports
  setpriv --pdeathsig KILL timeout --foreground -k 5 "$seconds" setpriv --pdeathsig KILL \
    qemu-system-x86_64 "${options[@]}" </dev/null >"$work/qemu.log" 2>&1 {port_out}>&- {port_err}>&- &
  qemu=$!
  processes+=("$qemu")
}

print_kernel_line() {
  # What a test guest can do without: each of these costs emulated time at boot or at run time.
  printf 'console=ttyS0 quiet loglevel=4 panic=-1 nokaslr mitigations=off no5lvl init_on_alloc=0 tsc=reliable '
  printf 'no_timer_check nowatchdog audit=0 apparmor=0 cryptomgr.notests '
  case $cgroup in
    v2 | systemd) printf 'cgroup_no_v1=all' ;;
    # What systemd calls hybrid: it controls with v1, and knows its units by a unified hierarchy without controllers.
    systemd-v1) printf 'systemd.unified_cgroup_hierarchy=0' ;;
  esac
}

# The guest's stdout and stderr come through FIFOs. They are held open here for reading and writing, so that
# neither side ever waits for the other to open; the readers see the end when QEMU and this shell have closed.
open_ports() {
  mkfifo "$work/stdout" "$work/stderr"
  exec {port_out}<>"$work/stdout" {port_err}<>"$work/stderr"
  if [ -n "$results" ]; then
    tee -a "$results" <"$work/stdout" {port_out}>&- {port_err}>&- &
  else
    cat <"$work/stdout" {port_out}>&- {port_err}>&- &
  fi
  readers=($!)
  cat <"$work/stderr" >&2 {port_out}>&- {port_err}>&- &
  readers+=($!)
}

close_ports() {
  [ -z "${port_out-}" ] || exec {port_out}>&- {port_err}>&-
  port_out='' port_err=''
}

# Ends what was started for the guest and removes its directory. Only processes from our own list: they are our
# children and not yet waited for, so the ids are still theirs.
undo() {
  local process
  close_ports
  for process in "${processes[@]}"; do
    kill -TERM "$process" 2>/dev/null || true
  done
  for process in "${processes[@]}"; do
    wait "$process" 2>/dev/null || true
  done
  processes=()
  if [ -n "$work" ]; then
    rm -rf --one-file-system "$work"
    exec {lock}>&-
    work=
  fi
}
