# SPDX-License-Identifier: BSD-2-Clause
#
# What the first processes of our root file systems share; /init reads it with `.`.

# The value of a word of the kernel's command line: NAME=value or NAME="several words".
rf_word() {
	sed -n "s/.*\b$1=\"\([^\"]*\)\".*/\1/p; t; s/.*\b$1=\([^ ]*\).*/\1/p" /proc/cmdline
}

# Debian's minbase has no `ip` but that of busybox.
rf_ip() {
	if command -v ip > /dev/null; then ip "$@"; else busybox ip "$@"; fi
}

# The card behind a link appears when its back end does.
rf_card() {
	until card=$(ls /sys/devices/platform/virtio-vlink.$1/virtio*/net 2>/dev/null) && [ -n "$card" ]; do
		sleep 0.2
	done
	rf_ip addr add "$2" dev "$card" && rf_ip link set "$card" up
	gateway=$(rf_word rf.gw)
	[ -z "$gateway" ] || rf_ip route add default via "$gateway" dev "$card" 2> /dev/null
}

# rf.net=LINK:ADDRESS/PREFIX,... for the cards, rf.hosts=NAME:ADDRESS,... for names, rf.gw=ADDRESS the next router,
# which one card reaches, rf.dns=ADDRESS the name server. The manifest tool writes them (tools/manifest/network.py).
# LINK counts the links this machine drives.
rf_network() {
	[ -s /etc/hosts ] || echo "127.0.0.1 localhost" > /etc/hosts
	for word in $(rf_word rf.hosts | tr , ' '); do
		echo "${word#*:} ${word%%:*}" >> /etc/hosts
	done
	dns=$(rf_word rf.dns)
	[ -z "$dns" ] || echo "nameserver $dns" > /etc/resolv.conf
	for word in $(rf_word rf.net | tr , ' '); do
		rf_card "${word%%:*}" "${word#*:}" &
	done
}

# rf.disk=DIRECTORY: the file system of /dev/vda goes there. The disk appears when its back end does; one that
# cannot be mounted is left as it is, because somebody may still want what is on it.
rf_disk() {
	place=$(rf_word rf.disk)
	[ -n "$place" ] || return 0
	mkdir -p "$place"
	tries=0
	until [ -b /dev/vda ]; do
		tries=$((tries + 1))
		if [ $tries -gt 50 ]; then
			echo "$place: no disk. \`links\` at the console's shell (Ctrl-] 0) tells who serves it."
			return 0
		fi
		sleep 0.2
	done
	if why=$(mount -t ext4 -o errors=remount-ro /dev/vda "$place" 2>&1); then
		set -- $(df -m "$place" | tail -n 1)
		echo "$place: $4 MiB free of $2 on /dev/vda"
		[ "$4" -gt 0 ] || echo "$place is full: writes there fail, what is there is safe"
	else
		echo "$place: /dev/vda holds no file system that can be mounted ($why). It was not changed."
		echo "\`mke2fs /dev/vda\` makes a new one and loses what was on it."
	fi
}

# What programs expect to be mounted, the loopback interface, the name from rf.name, the network,
# the disk.
rf_setup() {
	mount -t proc proc /proc
	mount -t sysfs sysfs /sys 2>/dev/null
	grep -q ' /dev ' /proc/mounts || mount -t devtmpfs devtmpfs /dev 2>/dev/null
	mkdir -p /dev/pts /dev/shm
	mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts 2>/dev/null
	for place in /dev/shm /run /tmp; do
		mount -t tmpfs -o mode=1777 tmpfs $place 2>/dev/null
	done
	chmod 755 /run
	rf_ip link set lo up 2>/dev/null
	name=$(rf_word rf.name)
	hostname "${name:-linux}"
	rf_network
	rf_disk
}

# `rf.run="command"` on the kernel's command line runs that and powers off.
rf_run() {
	run=$(rf_word rf.run)
	[ -n "$run" ] || return 0
	sh -c "$run"
	echo "rf.run: exit $?"
	sync
	busybox poweroff -f
}
