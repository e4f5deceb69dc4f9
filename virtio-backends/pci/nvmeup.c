/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An NVMe controller is made ready, and again after a reset; see nvme.h. Once it is switched on it is asked, one
 * thing at a time, what the table at the end lists: who it is, which namespace it has, and to make the queues.
 */
#include "nvme.h"

#include "../ring/ring.h"
#include "mmio.h"

#define CONFIG_ON 1u
#define CONFIG_ENTRIES (6u << 16 | 4u << 20) /* of 64 and 16 bytes; pages of 4 KiB */
#define STATUS_READY 1u
#define STATUS_FATAL 2u
#define GONE UINT32_MAX /* what a device that is no more reads as */
#define VERSION_1_1 0x10100u

#define PAGE_ADMIN_SQ 0u
#define PAGE_ADMIN_CQ 1u
#define PAGE_IO_SQ 2u
#define PAGE_IO_CQ 3u
#define PAGE_ANSWER 4u

#define OP_MAKE_SQ 0x01u
#define OP_MAKE_CQ 0x05u
#define OP_IDENTIFY 0x06u
#define OP_SET_FEATURES 0x09u
#define FEATURE_QUEUES 7u
#define WHAT_NAMESPACE 0u
#define WHAT_CONTROLLER 1u
#define WHAT_LIST 2u
#define QUEUE_IO 1u
#define CONTIGUOUS 1u
#define INTERRUPTS 2u
#define NSID_ALL UINT32_MAX

/* ---- registers ---- */

const char *nvme_look(struct nvme *nvme, struct nvme_registers *registers, uint64_t bar_bytes)
{
	uint32_t low = mmio_read32(&registers->cap[0]), high = mmio_read32(&registers->cap[1]);
	uint32_t version = mmio_read32(&registers->version);
	uint64_t patience = (uint64_t)(low >> 24) * 500;

	*nvme = (struct nvme){ .registers = registers, .stride = 4u << (high & 15) };
	nvme->bytes = NVME_DOORBELLS + 4 * nvme->stride;
	nvme->patience_ms = patience < 1000 ? 1000 : (uint32_t)patience;
	nvme->io.place.size = (low & 0xffff) + 1 < NVMEQ_SIZE_MAX ? (uint16_t)((low & 0xffff) + 1) : NVMEQ_SIZE_MAX;
	if (low == GONE && high == GONE)
		return "is not there any more";
	if (version < VERSION_1_1)
		return "is older than NVM Express 1.1";
	if (!(high >> 5 & 1))
		return "does not know the commands of a disk";
	if (high >> 16 & 15)
		return "has no pages of 4 KiB";
	if (nvme->io.place.size < 2)
		return "has queues of no use";
	if (nvme->bytes > bar_bytes)
		return "has doorbells outside its registers";
	mmio_write32(&registers->config, 0);
	return NULL;
}

bool nvme_stopped(const struct nvme *nvme)
{
	uint32_t status = mmio_read32(&nvme->registers->status);

	return status != GONE && !(status & STATUS_READY);
}

static uint32_t *doorbell(const struct nvme *nvme, unsigned index)
{
	return (uint32_t *)((uint8_t *)nvme->registers + NVME_DOORBELLS + index * nvme->stride);
}

static void start_queue(struct nvme *nvme, struct nvmeq *q, uint16_t id, uint16_t size, unsigned page)
{
	const struct nvmeq_place place = {
		.id = id,
		.size = size,
		.sq = (struct nvmeq_command *)(nvme->arena.base + page * CUTTER_PAGE),
		.cq = (struct nvmeq_completion *)(nvme->arena.base + (page + 1) * CUTTER_PAGE),
		.sq_bell = doorbell(nvme, 2u * id),
		.cq_bell = doorbell(nvme, 2u * id + 1),
	};

	nvmeq_start(q, &place);
}

static void switch_on(struct nvme *nvme)
{
	struct nvme_registers *r = nvme->registers;
	uint64_t sq = nvme->arena.bus[PAGE_ADMIN_SQ], cq = nvme->arena.bus[PAGE_ADMIN_CQ];
	uint16_t size = nvme->io.place.size;

	start_queue(nvme, &nvme->admin, 0, size, PAGE_ADMIN_SQ);
	start_queue(nvme, &nvme->io, QUEUE_IO, size, PAGE_IO_SQ);
	mmio_write32(&r->admin_sizes, (size - 1u) << 16 | (size - 1u));
	mmio_write32(&r->admin_sq[0], (uint32_t)sq);
	mmio_write32(&r->admin_sq[1], (uint32_t)(sq >> 32));
	mmio_write32(&r->admin_cq[0], (uint32_t)cq);
	mmio_write32(&r->admin_cq[1], (uint32_t)(cq >> 32));
	mmio_write32(&r->config, CONFIG_ENTRIES | CONFIG_ON);
	nvme->state = NVME_STARTING;
	nvme->waited_ms = 0;
}

const char *nvme_start(struct nvme *nvme, const struct pci_arena *arena, uint16_t vector,
		       void (*arm)(void *self), void *self)
{
	unsigned most = nvme->io.place.size - 1u;

	if (arena->pages < NVME_ARENA_MIN)
		return "has too little memory for transfers";
	nvme->arena = *arena;
	nvme->vector = vector;
	nvme->arm = arm;
	nvme->self = self;
	nvme->cutter.count = (arena->pages - NVME_CONTROL_PAGES) / CUTTER_SLOT_PAGES;
	if (nvme->cutter.count > most)
		nvme->cutter.count = most;
	switch_on(nvme);
	return NULL;
}

/* ---- questions and answers ---- */

/* What it wrote, which it may do at any time: each field is read once. */
static const uint8_t *answer(const struct nvme *nvme)
{
	return nvme->arena.base + PAGE_ANSWER * CUTTER_PAGE;
}

static uint8_t field8(const struct nvme *nvme, unsigned off)
{
	return (uint8_t)(vr_load32((const uint32_t *)(answer(nvme) + (off & ~3u))) >> 8 * (off & 3));
}

static uint16_t field16(const struct nvme *nvme, unsigned off)
{
	return vr_load16((const uint16_t *)(answer(nvme) + off));
}

static uint32_t field32(const struct nvme *nvme, unsigned off)
{
	return vr_load32((const uint32_t *)(answer(nvme) + off));
}

static void identify(struct nvme *nvme, struct nvmeq_command *command, uint32_t what, uint32_t nsid)
{
	vr_zero(nvme->arena.base + PAGE_ANSWER * CUTTER_PAGE, CUTTER_PAGE);
	command->opcode = OP_IDENTIFY;
	command->nsid = nsid;
	command->prp1 = nvme->arena.bus[PAGE_ANSWER];
	command->dw10 = what;
}

static void ask_controller(struct nvme *nvme, struct nvmeq_command *command)
{
	identify(nvme, command, WHAT_CONTROLLER, 0);
}

/* Anything said at the first time is there to stay. */
static bool same(const struct nvme *nvme, const void *before, const void *now, unsigned len)
{
	const uint8_t *a = before, *b = now;

	for (unsigned i = 0; i < len && nvme->resets; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

static const char *hear_controller(struct nvme *nvme)
{
	uint8_t serial[sizeof(nvme->identity.serial)];
	uint8_t data = field8(nvme, 77), sq = field8(nvme, 512), cq = field8(nvme, 513);
	uint16_t optional = field16(nvme, 520);

	vr_copy(serial, answer(nvme) + 4, sizeof(serial));
	if (!same(nvme, nvme->identity.serial, serial, sizeof(serial)))
		return "has become another disk";
	vr_copy(nvme->identity.serial, serial, sizeof(serial));
	if ((sq & 15) > 6 || sq >> 4 < 6 || (cq & 15) > 4 || cq >> 4 < 4)
		return "has queue entries of impossible sizes";
	nvme->slot_bytes = data && data < 4 ? CUTTER_PAGE << data : CUTTER_SLOT_BYTES;
	nvme->has_flush = field8(nvme, 525) & 1;
	nvme->storage.can_discard = optional >> 2 & 1;
	nvme->storage.can_zero = optional >> 3 & 1;
	return NULL;
}

static void ask_list(struct nvme *nvme, struct nvmeq_command *command)
{
	identify(nvme, command, WHAT_LIST, 0);
}

static const char *hear_list(struct nvme *nvme)
{
	uint32_t nsid = field32(nvme, 0);

	if (!nsid)
		return "has no namespace";
	if (nsid >= NSID_ALL - 1)
		return "has a namespace of an impossible number";
	if (!same(nvme, &nvme->identity.nsid, &nsid, sizeof(nsid)))
		return "has become another disk";
	nvme->identity.nsid = nsid;
	return NULL;
}

static void ask_namespace(struct nvme *nvme, struct nvmeq_command *command)
{
	identify(nvme, command, WHAT_NAMESPACE, nvme->identity.nsid);
}

static const char *hear_namespace(struct nvme *nvme)
{
	uint64_t sectors = field32(nvme, 0) | (uint64_t)field32(nvme, 4) << 32;
	uint8_t format = field8(nvme, 26) & 15;
	uint32_t shape = field32(nvme, 128 + 4u * format);

	if (!sectors)
		return "is empty: its size is 0";
	if (sectors > UINT64_MAX / STORAGE_SECTOR)
		return "has an impossible size";
	if (format > field8(nvme, 25))
		return "has a format that it does not list";
	if ((shape >> 16 & 0xff) != 9)
		return "has blocks of another size than 512 bytes";
	if (shape & 0xffff)
		return "has metadata with its blocks";
	if (!same(nvme, &nvme->identity.sectors, &sectors, sizeof(sectors)))
		return "has become another disk";
	nvme->identity.sectors = nvme->storage.sectors = sectors;
	nvme->storage.read_only = field8(nvme, 99) & 1;
	return NULL;
}

static void ask_queues(struct nvme *nvme, struct nvmeq_command *command)
{
	(void)nvme;
	command->opcode = OP_SET_FEATURES;
	command->dw10 = FEATURE_QUEUES;
	command->dw11 = 0; /* one of each kind */
}

static void ask_cq(struct nvme *nvme, struct nvmeq_command *command)
{
	command->opcode = OP_MAKE_CQ;
	command->prp1 = nvme->arena.bus[PAGE_IO_CQ];
	command->dw10 = QUEUE_IO | (nvme->io.place.size - 1u) << 16;
	command->dw11 = CONTIGUOUS | INTERRUPTS | (uint32_t)nvme->vector << 16;
}

static void ask_sq(struct nvme *nvme, struct nvmeq_command *command)
{
	command->opcode = OP_MAKE_SQ;
	command->prp1 = nvme->arena.bus[PAGE_IO_SQ];
	command->dw10 = QUEUE_IO | (nvme->io.place.size - 1u) << 16;
	command->dw11 = CONTIGUOUS | QUEUE_IO << 16;
}

static const struct question {
	void (*ask)(struct nvme *nvme, struct nvmeq_command *command);
	const char *(*hear)(struct nvme *nvme); /* NULL: nothing to hear */
	const char *refused, *silent;
} questions[] = {
	{ ask_controller, hear_controller, "refuses to say what it is", "does not say what it is" },
	{ ask_list, hear_list, "refuses to list its namespaces", "does not list its namespaces" },
	{ ask_namespace, hear_namespace, "refuses to say what its namespace is",
	  "does not say what its namespace is" },
	{ ask_queues, NULL, "refuses queues for commands", "does not say how many queues it has" },
	{ ask_cq, NULL, "refuses its queue of completions", "does not make its queue of completions" },
	{ ask_sq, NULL, "refuses its queue of commands", "does not make its queue of commands" },
};

#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

static void ask(struct nvme *nvme, unsigned question)
{
	struct nvmeq_command command = { .opcode = 0 };

	nvme->state = NVME_ASKING;
	nvme->question = question;
	nvme->waited_ms = 0;
	questions[question].ask(nvme, &command);
	nvmeq_add(&nvme->admin, 0, &command);
	nvmeq_ring(&nvme->admin);
}

static void heard(struct nvme *nvme, uint16_t status)
{
	const struct question *question = &questions[nvme->question];
	const char *why = NULL;

	if (status)
		why = question->refused;
	else if (question->hear)
		why = question->hear(nvme);
	nvmeq_ring(&nvme->admin);
	if (why)
		nvme_fail(nvme, why);
	else if (nvme->question + 1 < QUESTIONS)
		ask(nvme, nvme->question + 1);
	else
		nvme_resume(nvme);
}

static void step_asking(struct nvme *nvme)
{
	unsigned slot;
	uint16_t status;
	uint32_t result;

	while (nvme->state == NVME_ASKING && nvmeq_get(&nvme->admin, &slot, &status, &result))
		heard(nvme, status);
	if (nvme->admin.broken)
		nvme_fail(nvme, nvme->admin.broken);
}

void nvme_step(struct nvme *nvme)
{
	uint32_t status;

	if (nvme->state == NVME_LIVE || nvme->state == NVME_FAILED)
		return;
	status = mmio_read32(&nvme->registers->status);
	if (status == GONE)
		nvme_fail(nvme, "is not there any more");
	else if (nvme->state == NVME_STOPPING && !(status & STATUS_READY))
		switch_on(nvme);
	else if (nvme->state == NVME_STARTING && status & STATUS_FATAL)
		nvme_fail(nvme, "says that it has failed for good");
	else if (nvme->state == NVME_STARTING && status & STATUS_READY)
		ask(nvme, 0);
	if (nvme->state == NVME_ASKING)
		step_asking(nvme);
}

static bool wait_for_commands(struct nvme *nvme, uint32_t ms)
{
	bool late = false;

	for (unsigned i = 0; i < nvme->cutter.count; i++)
		if (nvme->io.out >> i & 1) {
			nvme->ages_ms[i] += ms;
			late = late || nvme->ages_ms[i] > NVME_COMMAND_MS;
		}
	if (late)
		nvme_reset(nvme);
	return nvme->io.out || nvme->state == NVME_STOPPING;
}

bool nvme_tick(struct nvme *nvme, uint32_t ms)
{
	const char *why = NULL;
	bool again = true;

	if (nvme->state == NVME_LIVE)
		nvme->storage.poll(&nvme->storage); /* an interrupt that is lost is no time-out */
	else
		nvme_step(nvme);
	nvme->waited_ms += ms;
	if (nvme->state == NVME_LIVE)
		again = wait_for_commands(nvme, ms);
	else if (nvme->state == NVME_STOPPING && nvme->waited_ms > nvme->patience_ms)
		why = "does not finish its reset";
	else if (nvme->state == NVME_STARTING && nvme->waited_ms > nvme->patience_ms)
		why = "does not become ready";
	else if (nvme->state == NVME_ASKING && nvme->waited_ms > NVME_COMMAND_MS)
		why = questions[nvme->question].silent;
	if (why)
		nvme_fail(nvme, why);
	nvme->armed = again && nvme->state != NVME_FAILED;
	return nvme->armed;
}
