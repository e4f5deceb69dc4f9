/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * linkfront - the smallest front end of a block link: writes every block of the disk with its number
 * and a round, several requests at a time, reads all back, and compares.
 *
 * Options: rounds=N (2), limit=BLOCKS of the disk to use, zeroes=BLOCKS that one request makes zero in the end,
 * stay: goes on following the link when it is done, deaf: with stay, does not follow it. Exit code 0: every block
 * held what was acknowledged last.
 */
#include <stdio.h>

#include "../blkfront/blkfront.h"

static uint64_t done, bad, round_now;

static uint64_t word_for(uint64_t block, uint64_t round, unsigned i)
{
	return (block << 32 ^ round << 16 ^ i) * 0x9e3779b97f4a7c15ull;
}

static void finished(struct blkfront_request *request, bool good)
{
	const uint64_t *data = blkfront_data(request);

	if (!good)
		bad++;
	for (unsigned i = 0; request->reading && i < BLKFRONT_WORDS; i++) {
		if (data[i] == word_for(request->block, round_now, i))
			continue;
		printf("block %llu differs at word %u\n", (unsigned long long)request->block, i);
		bad++;
		break;
	}
	done++;
}

static void submit(struct blkfront_request *request, uint64_t block, bool reading)
{
	request->block = block;
	request->reading = reading;
	for (unsigned i = 0; !reading && i < BLKFRONT_WORDS; i++)
		blkfront_data(request)[i] = word_for(block, round_now, i);
	blkfront_submit(request);
}

static void whole_disk(uint64_t blocks, bool reading)
{
	uint64_t next = 0;

	done = 0;
	while (done < blocks) {
		struct blkfront_request *request = next < blocks ? blkfront_free() : NULL;

		if (request)
			submit(request, next++, reading);
		else
			blkfront_wait();
		blkfront_harvest(finished);
	}
}

static void make_zero(uint64_t blocks)
{
	struct blkfront_request *request = blkfront_free();

	request->block = 0;
	request->reading = false;
	request->zeroes = (uint32_t)blocks;
	done = 0;
	for (blkfront_submit(request); !done; blkfront_harvest(finished))
		blkfront_wait();
	request->zeroes = 0;
}

int main(void)
{
	uint64_t rounds = blkfront_number("rounds", 2), blocks = blkfront_open();

	if (blkfront_number("limit", blocks) < blocks)
		blocks = blkfront_number("limit", blocks);
	for (round_now = 1; round_now <= rounds; round_now++) {
		whole_disk(blocks, false);
		whole_disk(blocks, true);
	}
	if (blkfront_number("zeroes", 0))
		make_zero(blkfront_number("zeroes", 0));
	printf("%llu rounds of %llu blocks, %llu bad, epoch %u\n", (unsigned long long)rounds,
	       (unsigned long long)blocks, (unsigned long long)bad, blkfront_epoch());
	fflush(stdout);
	if (pv_cmdline_has("deaf"))
		blkfront_go_deaf();
	while (pv_cmdline_has("stay"))
		pv_event_run_once(PV_FOREVER);
	return bad != 0;
}
