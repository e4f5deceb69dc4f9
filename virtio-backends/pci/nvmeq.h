/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nvmeq.h - a pair of NVMe queues, host's side: commands out, completions in (NVM Express 1.4, section 4).
 *
 * A command is named by its slot and a generation, so that a completion is believed only if that very command is
 * out. A controller that completes anything else has broken the pair: it gives nothing any more until it is
 * started anew.
 */
#ifndef VIRTIO_NVMEQ_H
#define VIRTIO_NVMEQ_H

#include <stdbool.h>
#include <stdint.h>

#define NVMEQ_SIZE_MAX 64u /* submission entries of a page */

struct nvmeq_command {
	uint8_t opcode, flags;
	uint16_t cid;
	uint32_t nsid;
	uint64_t reserved, metadata;
	uint64_t prp1, prp2;
	uint32_t dw10, dw11, dw12, dw13, dw14, dw15;
};

_Static_assert(sizeof(struct nvmeq_command) == 64, "part of the protocol");

/* Read by words: result, reserved, head and queue, name and status. */
struct nvmeq_completion {
	uint32_t words[4];
};

struct nvmeq_place {
	uint16_t id, size; /* size: of both queues, 2..NVMEQ_SIZE_MAX */
	struct nvmeq_command *sq;
	struct nvmeq_completion *cq;
	uint32_t *sq_bell, *cq_bell;
};

struct nvmeq {
	struct nvmeq_place place;
	uint16_t tail, rung;   /* written, told of */
	uint16_t taken;	       /* up to which the controller says it has taken commands */
	uint16_t head, freed;  /* of completions: looked at, told of */
	bool phase;	       /* of a completion that is new */
	uint16_t cids[NVMEQ_SIZE_MAX];
	uint64_t out;	       /* slots whose command is out */
	uint16_t generation;
	const char *broken;    /* which rule the controller has broken, or NULL */
};

/* Empties both queues' memory; what was out is forgotten. Generations go on. */
void nvmeq_start(struct nvmeq *q, const struct nvmeq_place *place);

/* The controller sees it at the next nvmeq_ring(). slot: below size - 1, not out. The name is filled in here. */
void nvmeq_add(struct nvmeq *q, unsigned slot, struct nvmeq_command *command);

/* Tells the controller of commands added and completions taken. */
void nvmeq_ring(struct nvmeq *q);

/* The next completion: whose, status (0: done) and result. False: none, or broken. */
bool nvmeq_get(struct nvmeq *q, unsigned *slot, uint16_t *status, uint32_t *result);

#endif
