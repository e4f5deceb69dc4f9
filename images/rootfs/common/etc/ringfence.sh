# SPDX-License-Identifier: BSD-2-Clause
#
# What the first processes of our root file systems share; /init reads it with `.`.

# The value of a word of the kernel's command line: NAME=value or NAME="several words".
rf_word() {
	sed -n "s/.*\b$1=\"\([^\"]*\)\".*/\1/p; t; s/.*\b$1=\([^ ]*\).*/\1/p" /proc/cmdline
}

# What programs expect to be mounted, the loopback interface if there is an `ip`, the name from rf.name.
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
	ip link set lo up 2>/dev/null
	name=$(rf_word rf.name)
	hostname "${name:-linux}"
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
