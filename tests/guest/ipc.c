/* SPDX-License-Identifier: BSD-2-Clause */
/* ipc.c - pipes, terminals, files in memory and the other ways processes of one machine talk. */
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>
#include "gt.h"

struct stream {
	int fd;
	size_t bytes;
};

static void write_stream(void *arg)
{
	const struct stream *s = arg;
	unsigned char block[8000];
	size_t done = 0;

	while (done < s->bytes) {
		size_t n = s->bytes - done < sizeof(block) ? s->bytes - done : sizeof(block);

		for (size_t i = 0; i < n; i++)
			block[i] = (unsigned char)((done + i) * 7 >> 3);
		for (size_t i = 0; i < n;)
			i += (size_t)SYS(write(s->fd, block + i, n - i));
		done += n;
	}
	close(s->fd);
}

static void read_stream(int fd, size_t bytes)
{
	unsigned char block[5000];
	size_t done = 0;
	ssize_t n;

	while ((n = SYS(read(fd, block, sizeof(block)))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(block[i], (unsigned char)((done + (size_t)i) * 7 >> 3));
		done += (size_t)n;
	}
	CHECK_EQ(done, bytes);
}

static void pipe_transfer(void)
{
	struct stream s = { .bytes = gt_rounds(2000000) };
	int fds[2];
	pid_t pid;

	SYS(pipe(fds));
	s.fd = fds[1];
	pid = gt_fork(write_stream, &s);
	close(fds[1]);
	read_stream(fds[0], s.bytes);
	gt_join(pid);
}

static void pipe_ping_pong(void)
{
	int there[2], back[2];
	unsigned int rounds = gt_rounds(1000);
	pid_t pid;

	SYS(pipe(there));
	SYS(pipe(back));
	pid = SYS(fork());
	if (pid == 0) {
		for (unsigned int i = 0; i < rounds; i++) {
			unsigned int value;

			CHECK_EQ(read(there[0], &value, 4), 4);
			value++;
			CHECK_EQ(write(back[1], &value, 4), 4);
		}
		_exit(0);
	}
	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int value = i * 3;

		CHECK_EQ(write(there[1], &value, 4), 4);
		CHECK_EQ(read(back[0], &value, 4), 4);
		CHECK_EQ(value, i * 3 + 1);
	}
	gt_join(pid);
}

/* Pages travel by reference, then their source changes. */
static void spliced_pages(void)
{
	int fds[2], fd = SYS(memfd_create("gt", 0));
	char *p = gt_pages(4 * PAGE, PROT_READ | PROT_WRITE), *q = malloc(4 * PAGE);
	struct iovec iov = { p, 4 * PAGE };

	SYS(pipe(fds));
	for (unsigned int i = 0; i < gt_rounds(20); i++) {
		memset(p, 'a' + (int)(i % 20), 4 * PAGE);
		CHECK_EQ(vmsplice(fds[1], &iov, 1, 0), 4 * PAGE);
		CHECK_EQ(splice(fds[0], NULL, fd, &(loff_t){ 0 }, 4 * PAGE, 0), 4 * PAGE);
		CHECK_EQ(pread(fd, q, 4 * PAGE, 0), 4 * PAGE);
		CHECK_EQ(memcmp(p, q, 4 * PAGE), 0);
	}
	free(q);
}

static void event_files(void)
{
	int fd = SYS(eventfd(0, 0)), poller = SYS(epoll_create1(0));
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0x1234567890abcdef }, got;
	pid_t pid;

	SYS(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event));
	CHECK_EQ(epoll_wait(poller, &got, 1, 0), 0);
	pid = SYS(fork());
	if (pid == 0) {
		for (uint64_t i = 1; i <= 100; i++)
			CHECK_EQ(write(fd, &i, 8), 8);
		_exit(0);
	}
	for (uint64_t sum = 0; sum < 5050;) {
		uint64_t value;

		CHECK_EQ(epoll_wait(poller, &got, 1, -1), 1);
		CHECK_EQ(got.data.u64, event.data.u64);
		CHECK_EQ(read(fd, &value, 8), 8);
		sum += value;
		CHECK(sum <= 5050);
	}
	gt_join(pid);
}

static void polls(void)
{
	int fds[2];
	struct pollfd pfd;

	SYS(pipe(fds));
	pfd = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	CHECK_EQ(poll(&pfd, 1, 2), 0);
	CHECK_EQ(write(fds[1], "x", 1), 1);
	CHECK_EQ(poll(&pfd, 1, -1), 1);
	CHECK_EQ(pfd.revents, POLLIN);
	close(fds[1]);
	CHECK_EQ(poll(&pfd, 1, -1), 1);
	CHECK(pfd.revents & POLLHUP);
}

static void semaphores(void)
{
	int id = SYS(semget(IPC_PRIVATE, 2, IPC_CREAT | 0600));
	struct sembuf p0 = { 0, -1, 0 }, v0 = { 0, 1, 0 }, p1 = { 1, -1, 0 }, v1 = { 1, 1, 0 };
	pid_t pid = SYS(fork());

	for (unsigned int i = 0; i < gt_rounds(300); i++) {
		if (pid == 0) {
			SYS(semop(id, &p0, 1));
			SYS(semop(id, &v1, 1));
		} else {
			SYS(semop(id, &v0, 1));
			SYS(semop(id, &p1, 1));
		}
	}
	if (pid == 0)
		_exit(0);
	gt_join(pid);
	SYS(semctl(id, 0, IPC_RMID));
}

static void messages(void)
{
	struct { long type; unsigned int body[20]; } m;
	int id = SYS(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
	pid_t pid = SYS(fork());

	for (unsigned int i = 0; i < gt_rounds(300); i++) {
		if (pid == 0) {
			m.type = 1 + i % 3;
			m.body[19] = i;
			SYS(msgsnd(id, &m, sizeof(m.body), 0));
		} else {
			CHECK_EQ(msgrcv(id, &m, sizeof(m.body), 1 + i % 3, 0), sizeof(m.body));
			CHECK_EQ(m.body[19], i);
		}
	}
	if (pid == 0)
		_exit(0);
	gt_join(pid);
	SYS(msgctl(id, IPC_RMID, NULL));
}

static void file_locks(void)
{
	char name[] = "/tmp/gtXXXXXX";
	int fd = SYS(mkstemp(name));
	pid_t pids[4];
	unsigned int n = 0, rounds = gt_rounds(50);

	CHECK_EQ(pwrite(fd, &n, 4, 0), 4);
	for (int i = 0; i < 4; i++) {
		pids[i] = SYS(fork());
		if (pids[i] != 0)
			continue;
		fd = SYS(open(name, O_RDWR));
		for (unsigned int k = 0; k < rounds; k++) {
			SYS(flock(fd, LOCK_EX));
			CHECK_EQ(pread(fd, &n, 4, 0), 4);
			n++;
			sched_yield();
			CHECK_EQ(pwrite(fd, &n, 4, 0), 4);
			SYS(flock(fd, LOCK_UN));
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		gt_join(pids[i]);
	CHECK_EQ(pread(fd, &n, 4, 0), 4);
	CHECK_EQ(n, 4 * rounds);
	unlink(name);
}

/* A terminal pair: what is typed is echoed, lines are edited, ^C is a signal. */
static void terminal(void)
{
	int master = SYS(open("/dev/ptmx", O_RDWR | O_NOCTTY)), zero = 0, number, status;
	char name[32], text[64];
	ssize_t n;
	pid_t pid;

	SYS(ioctl(master, TIOCSPTLCK, &zero));
	SYS(ioctl(master, TIOCGPTN, &number));
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	pid = SYS(fork());
	if (pid == 0) {
		int fd;

		setsid();
		fd = SYS(open(name, O_RDWR));
		SYS(ioctl(fd, TIOCSCTTY, 0));
		n = SYS(read(fd, text, sizeof(text)));
		if (n != 6 || memcmp(text, "hallo\n", 6) != 0)
			_exit(1);
		CHECK_EQ(write(fd, "ready\n", 6), 6);
		for (;;)
			pause();
	}
	CHECK_EQ(write(master, "halx\177lo\n", 8), 8);
	for (n = 0; !memmem(text, (size_t)n, "ready", 5);)
		n += SYS(read(master, text + n, sizeof(text) - (size_t)n));
	CHECK(memmem(text, (size_t)n, "hal", 3) != NULL);
	CHECK_EQ(write(master, "\003", 1), 1);
	status = gt_wait(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

static void directory_tree(void)
{
	char name[64];
	int fd;

	for (unsigned int i = 0; i < gt_rounds(100); i++) {
		snprintf(name, sizeof(name), "/tmp/d%u", i);
		SYS(mkdir(name, 0700));
		snprintf(name, sizeof(name), "/tmp/d%u/file", i);
		fd = SYS(open(name, O_CREAT | O_RDWR, 0600));
		CHECK_EQ(write(fd, &i, 4), 4);
		close(fd);
	}
	for (unsigned int i = 0, value; i < gt_rounds(100); i++) {
		snprintf(name, sizeof(name), "/tmp/d%u/file", i);
		fd = SYS(open(name, O_RDONLY));
		CHECK_EQ(read(fd, &value, 4), 4);
		CHECK_EQ(value, i);
		close(fd);
		SYS(unlink(name));
		snprintf(name, sizeof(name), "/tmp/d%u", i);
		SYS(rmdir(name));
	}
}

ROOM(ipc,
	{ "pipe_transfer", pipe_transfer, 0 },
	{ "pipe_ping_pong", pipe_ping_pong, 0 },
	{ "spliced_pages", spliced_pages, 0 },
	{ "event_files", event_files, 0 },
	{ "polls", polls, 0 },
	{ "semaphores", semaphores, 0 },
	{ "messages", messages, 0 },
	{ "file_locks", file_locks, 0 },
	{ "terminal", terminal, 0 },
	{ "directory_tree", directory_tree, 0 });
