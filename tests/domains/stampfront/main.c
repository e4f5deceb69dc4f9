/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stampfront - a front end of a block link that knows what it wrote: each block it writes carries its
 * number and a sequence number of its own in every word. Random blocks are written and read, so many at
 * a time as there are requests; no block is in two of them. What is read must be what was acknowledged
 * last:
 *
 *   lost     an older write than was acknowledged, and the newer one was never seen
 *   ghost    an older write than one that had been read already: something wrote it again
 *   foreign  nothing that was ever written there
 *
 * Options: writes=N and lives=N: it goes on until so many are acknowledged and so many back ends have been
 * outlived, then reads every block once more, after settle=MS. seed=N. Exit code 0: none of the three, no error.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../blkfront/blkfront.h"

#define READS_IN 4u /* one request of so many is a read */

struct block {
	uint64_t acked; /* 0: never written */
	uint64_t seen;
	bool busy;
};

static struct block *blocks;
static uint64_t count, stamp, random_state;
static uint64_t writes, reads, lost, ghosts, foreign, errors;
static pv_ns_t last, longest; /* of two requests that ended one after the other */

static uint64_t number(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint64_t word_for(uint64_t block, uint64_t of, unsigned i)
{
	return i ? (of * 0x9e3779b97f4a7c15ull ^ block << 32) + i : of;
}

static void judge(struct block *block, uint64_t at, const uint64_t *data)
{
	uint64_t of = data[0];

	reads++;
	for (unsigned i = 0; i < BLKFRONT_WORDS; i++) {
		if (data[i] == (block->acked ? word_for(at, of, i) : 0))
			continue;
		foreign++;
		printf("block %llu: foreign at word %u, %llu was acknowledged\n",
		       (unsigned long long)at, i, (unsigned long long)block->acked);
		return;
	}
	if (of == block->acked) {
		block->seen = of;
	} else {
		*(of < block->seen ? &ghosts : &lost) += 1;
		printf("block %llu holds write %llu, %llu was acknowledged, %llu seen\n",
		       (unsigned long long)at, (unsigned long long)of,
		       (unsigned long long)block->acked, (unsigned long long)block->seen);
	}
}

static void finished(struct blkfront_request *request, bool good)
{
	struct block *block = &blocks[request->block];
	pv_ns_t now = pv_clock_ns();

	if (last && now - last > longest)
		longest = now - last;
	last = now;
	block->busy = false;
	if (!good) {
		errors++;
	} else if (request->reading) {
		judge(block, request->block, blkfront_data(request));
	} else {
		block->acked = request->stamp;
		writes++;
	}
}

static void submit(struct blkfront_request *request, uint64_t at, bool reading)
{
	request->block = at;
	request->reading = reading;
	request->stamp = reading ? 0 : ++stamp;
	for (unsigned i = 0; !reading && i < BLKFRONT_WORDS; i++)
		blkfront_data(request)[i] = word_for(at, request->stamp, i);
	blocks[at].busy = true;
	blkfront_submit(request);
}

static void work(uint64_t writes_wanted, uint64_t lives)
{
	while (writes < writes_wanted || blkfront_epoch() <= lives) {
		struct blkfront_request *request = blkfront_free();
		uint64_t at = number() % count;

		if (!request)
			blkfront_wait();
		else if (!blocks[at].busy)
			submit(request, at, number() % READS_IN == 0);
		blkfront_harvest(finished);
	}
}

static bool any_busy(void)
{
	for (uint64_t i = 0; i < count; i++)
		if (blocks[i].busy)
			return true;
	return false;
}

static void drain(void)
{
	while (any_busy()) {
		blkfront_wait();
		blkfront_harvest(finished);
	}
}

static void read_all(void)
{
	uint64_t next = 0;

	while (next < count) {
		struct blkfront_request *request = blkfront_free();

		if (request)
			submit(request, next++, true);
		else
			blkfront_wait();
		blkfront_harvest(finished);
	}
	drain();
}

int main(void)
{
	uint64_t lives = blkfront_number("lives", 0), settle = blkfront_number("settle", 0);

	/* whose instructions these are, for who counts them (tests/plugin/owner.h) */
	__asm__ volatile("nopl 0x52470001(%%rax)" ::: "memory");
	random_state = blkfront_number("seed", 1);
	count = blkfront_open();
	if (blkfront_number("limit", count) < count)
		count = blkfront_number("limit", count);
	blocks = calloc(count, sizeof(*blocks));
	if (!blocks || count < 2 * BLKFRONT_SLOTS)
		blkfront_die("no memory, or a disk too small");
	setvbuf(stdout, NULL, _IOLBF, 256);
	work(blkfront_number("writes", 1000), lives);
	drain();
	if (settle)
		pv_sleep_until(pv_clock_ns() + settle * PV_NSEC_PER_MSEC);
	last = 0;
	read_all();
	printf("%u deaths, %llu writes acknowledged, %llu reads, %llu lost, %llu ghosts, %llu foreign, "
	       "%llu errors, longest wait %llu us\n", blkfront_epoch() - 1, (unsigned long long)writes,
	       (unsigned long long)reads, (unsigned long long)lost, (unsigned long long)ghosts,
	       (unsigned long long)foreign, (unsigned long long)errors,
	       (unsigned long long)(longest / 1000));
	fflush(stdout);
	return lost || ghosts || foreign || errors;
}
