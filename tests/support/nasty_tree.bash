# Makes a tree of everything that archives get wrong, in the directory $1. Needs root.
set -eu
mkdir -p "$1"
cd "$1"
repeat() { printf "$1%.0s" $(seq "$2"); }

mkdir -p d1/d2 empty sticky
chmod 1777 sticky; chmod 2755 d1; chmod 700 empty
echo hello > plain; chmod 640 plain; chown 1234:5678 plain
echo x > big-id; chown 4000000000:3000000000 big-id
cp /bin/true suid; chown 1:1 suid; chmod 4755 suid
cp /bin/true cap; chown 7:7 cap; setcap cap_net_raw,cap_chown=ep cap
echo 1 > attributes
setfattr -n user.bin -v 0x00ff0a3d0a80 attributes
setfattr -n trusted.t -v t attributes
setfattr -n user.dir -v d d1/d2

ln -s plain link; ln -s /etc/passwd abs; ln -s ../../../../x up; ln -s nowhere dangling
touch -h -d '2001-02-03 04:05:06.123456789' link
chown -h 5:6 abs
setfattr -h -n trusted.l -v l link
ln plain hard; ln link hard-link; ln cap d1/hard-cap
mknod null c 1 3; chmod 666 null
mknod blk b 259 70000; chown 3:4 blk
mkfifo fifo; chmod 620 fifo; touch -d '1999-12-31 23:59:59.5' fifo
touch -d '1969-12-31 23:59:58.25' before-epoch
touch -d '2200-01-01' far

long="$(repeat a 200)/$(repeat b 200)/$(repeat c 200)"
mkdir -p "$long"; echo deep > "$long/$(repeat f 250)"
ln -s "$(repeat t 1500)" long-link
printf x > "$(printf 'bad\xff\xfename')"
printf x > "$(printf 'new\nline')"
printf x > 'ü∂'
printf x > -dash
mkdir "$(printf 'dir\xff')"; printf y > "$(printf 'dir\xff')/f"

truncate -s 10M hole
truncate -s 5M sparse
printf mid | dd of=sparse bs=1 seek=2000000 conv=notrunc status=none
printf end | dd of=sparse bs=1 seek=4999000 conv=notrunc status=none
for i in $(seq 0 2 120); do printf D | dd of=many-holes bs=4096 seek="$i" conv=notrunc status=none; done
head -c 3000000 /dev/urandom > data
head -c 512 /dev/urandom > one-block
: > zero

touch -d '2010-01-01 00:00:00.000000001' d1/d2
touch -d '2011-01-01' d1 .
