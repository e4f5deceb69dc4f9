/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An Intel 82574L network card; see e1000e.h. The arena: descriptors of rx, of tx, buffers of rx, of tx.
 *
 * Descriptor i belongs to buffer i. The card has all but one of the rx ring; the one it does not have is the one that
 * was looked at last. Of the tx ring it has those from tx_clean up to tx_tail.
 */
#include "e1000e.h"

#include "../ring/ring.h"
#include "mmio.h"

enum registers {
	CTRL = 0x0000,
	STATUS = 0x0008,
	EEC = 0x0010,
	CTRL_EXT = 0x0018,
	ICR = 0x00c0,
	ITR = 0x00c4,
	IMS = 0x00d0,
	IMC = 0x00d8,
	EIAC = 0x00dc,
	IVAR = 0x00e4,
	EITR0 = 0x00e8,
	RCTL = 0x0100,
	TCTL = 0x0400,
	TIPG = 0x0410,
	RDBAL = 0x2800,
	TDBAL = 0x3800,
	SECOND_QUEUE = 0x0100, /* further, its registers */
	RXCSUM = 0x5000,
	RFCTL = 0x5008,
	MTA = 0x5200,
	RAL0 = 0x5400,
	RAH0 = 0x5404,
	MRQC = 0x5818,
};

/* From RDBAL or TDBAL. */
enum ring_registers {
	BASE_HIGH = 0x04,
	LENGTH = 0x08,
	HEAD = 0x10,
	TAIL = 0x18,
	DELAY = 0x20,
	RING_CONTROL = 0x28,
	DELAY_AT_MOST = 0x2c,
};

#define MTA_WORDS 128u
#define CTRL_LINK 0x40u /* set link up */
#define CTRL_FORCED 0x1880u /* speed, duplex, loss of signal inverted */
#define CTRL_RESET (1u << 26)
#define CTRL_VLAN (1u << 30)
#define CTRL_PHY_RESET (1u << 31)
#define STATUS_LINK 2u
#define EEC_READ_DONE 0x200u
#define CTRL_EXT_AUTO_MASK (1u << 24 | 1u << 27)
#define CTRL_EXT_LOADED (1u << 28 | 1u << 31) /* a driver is there; it clears pending messages */
#define CAUSE_LINK (1u << 2)
#define CAUSES (CAUSE_LINK | 1u << 6 | 1u << 7 | 1u << 20 | 1u << 24) /* overrun, frames, by queue and vector, other */
#define IVAR_FIRST (1u << 3 | 1u << 19) /* frames and others: vector 0, valid */
#define RCTL_ON 2u
#define RCTL_ALL (1u << 3 | 1u << 4 | 1u << 15) /* whoever they are for: the switch knows */
#define RCTL_NO_CRC (1u << 26)
#define TCTL_ON (2u | 1u << 3 | 0xfu << 4 | 0x3fu << 12) /* pads short frames; collisions as the manual wants them */
#define TIPG_USUAL 0x00602008u
#define RX_WRITE_BACK (1u << 24 | 1u << 16) /* each descriptor as it is done */
#define TX_WRITE_BACK (1u << 24 | 1u << 22 | 1u << 16)
#define RAH_VALID (1u << 31)
#define GONE UINT32_MAX

#define DONE_RX (UINT64_C(1) << 32)
#define DONE_TX (UINT64_C(1) << 32)
#define LAST_PIECE (UINT64_C(2) << 32)
#define DAMAGED (UINT64_C(0x97) << 40)
#define TX_WHOLE (UINT64_C(0xb) << 24) /* all of a frame; with its checksum added; tell me */

_Static_assert(E1000E_RING_MAX * sizeof(struct e1000e_descriptor) <= E1000E_PAGE, "a ring fits a page");
_Static_assert(E1000E_PAGE % E1000E_BUFFER == 0, "a buffer lies in one page");

static uint32_t get(const struct e1000e *nic, uint32_t at)
{
	return mmio_read32((const uint32_t *)(nic->registers + at));
}

static void put(struct e1000e *nic, uint32_t at, uint32_t value)
{
	mmio_write32((uint32_t *)(nic->registers + at), value);
}

/* ---- the end ---- */

static void begin_reset(struct e1000e *nic)
{
	put(nic, IMC, ~0u);
	put(nic, RCTL, 0);
	put(nic, TCTL, 0);
	put(nic, CTRL, CTRL_RESET);
}

/* It is not to be trusted with anything any more: nothing goes out, nothing comes in. */
static void fail(struct e1000e *nic, const char *why)
{
	if (nic->failed)
		return;
	nic->failed = why;
	begin_reset(nic); /* asking is enough: the arena is not used again */
}

/* ---- buffers ---- */

static uint64_t buffer_off(const struct e1000e *nic, bool tx, unsigned index)
{
	return E1000E_CONTROL_PAGES * E1000E_PAGE + (uint64_t)(index + (tx ? nic->size : 0)) * E1000E_BUFFER;
}

static uint8_t *buffer(const struct e1000e *nic, bool tx, unsigned index)
{
	return nic->arena.base + buffer_off(nic, tx, index);
}

static void describe(struct e1000e *nic, bool tx, unsigned index, uint64_t word)
{
	struct e1000e_descriptor *d = &(tx ? nic->tx : nic->rx)[index];
	uint64_t off = buffer_off(nic, tx, index);

	vr_store64(&d->address, nic->arena.bus[off / E1000E_PAGE] + off % E1000E_PAGE);
	vr_store64(&d->word, word);
}

static unsigned after(const struct e1000e *nic, unsigned index)
{
	return index + 1 == nic->size ? 0 : index + 1;
}

/* ---- frames out ---- */

static bool is_full(const struct e1000e *nic)
{
	return after(nic, nic->tx_tail) == nic->tx_clean;
}

static void reclaim(struct e1000e *nic)
{
	while (nic->tx_clean != nic->tx_told && vr_load64(&nic->tx[nic->tx_clean].word) & DONE_TX)
		nic->tx_clean = after(nic, nic->tx_clean);
}

uint8_t *e1000e_room(struct e1000e *nic)
{
	if (nic->failed)
		return NULL;
	if (is_full(nic))
		reclaim(nic);
	if (!is_full(nic))
		return buffer(nic, true, nic->tx_tail);
	nic->counters.full++;
	if (get(nic, TDBAL + HEAD) >= nic->size)
		fail(nic, "says that its ring's head is where it cannot be");
	return NULL;
}

void e1000e_send(struct e1000e *nic, uint32_t len)
{
	if (nic->failed || is_full(nic) || len < E1000E_FRAME_MIN || len > E1000E_FRAME_MAX)
		return;
	describe(nic, true, nic->tx_tail, TX_WHOLE | len);
	nic->tx_tail = after(nic, nic->tx_tail);
	nic->counters.sent++;
}

void e1000e_flush(struct e1000e *nic)
{
	unsigned nobodys = nic->rx_next ? nic->rx_next - 1 : nic->size - 1;

	if (nic->failed)
		return;
	if (nic->tx_told != nic->tx_tail)
		put(nic, TDBAL + TAIL, nic->tx_tail);
	nic->tx_told = nic->tx_tail;
	if (nic->rx_told != nobodys)
		put(nic, RDBAL + TAIL, nobodys);
	nic->rx_told = nobodys;
}

/* ---- frames in ---- */

/* Is the next descriptor the card's? It ends with the one that was nobody's when it was told last. */
static bool is_cards(const struct e1000e *nic)
{
	return nic->rx_next != nic->rx_told;
}

static bool take(struct e1000e *nic, e1000e_receive_fn receive, void *self)
{
	uint64_t word = vr_load64(&nic->rx[nic->rx_next].word);
	uint32_t len = word & 0xffff;
	bool last = word & LAST_PIECE, rest = nic->in_pieces;

	if (!(word & DONE_RX))
		return false;
	nic->in_pieces = !last;
	if (!last || rest || word & DAMAGED || len < E1000E_FRAME_MIN || len > E1000E_FRAME_MAX) {
		nic->counters.malformed++;
	} else {
		nic->counters.received++;
		receive(self, buffer(nic, false, nic->rx_next), len);
	}
	describe(nic, false, nic->rx_next, 0);
	nic->rx_next = after(nic, nic->rx_next);
	return true;
}

/* What it has to say; it says the next thing again when this is heard. */
static void hear(struct e1000e *nic)
{
	uint32_t causes = get(nic, ICR);

	if (causes == GONE) {
		fail(nic, "is not there any more");
		return;
	}
	put(nic, ICR, causes);
	if (causes & CAUSE_LINK)
		nic->link_up = get(nic, STATUS) & STATUS_LINK;
}

bool e1000e_poll(struct e1000e *nic, unsigned limit, e1000e_receive_fn receive, void *self)
{
	unsigned count = 0;

	if (!nic->failed)
		hear(nic);
	while (!nic->failed && count < limit && is_cards(nic) && take(nic, receive, self))
		count++;
	return !nic->failed && count == limit;
}

/* ---- making it ready ---- */

const char *e1000e_look(struct e1000e *nic, uint8_t *registers, uint64_t bar_bytes)
{
	*nic = (struct e1000e){ .registers = registers };
	if (bar_bytes < E1000E_REGISTERS)
		return "has too few registers for an 82574L";
	if (get(nic, STATUS) == GONE)
		return "is not there any more";
	begin_reset(nic);
	return NULL;
}

bool e1000e_reset_done(const struct e1000e *nic)
{
	uint32_t control = get(nic, CTRL);

	return control != GONE && !(control & CTRL_RESET) && get(nic, EEC) & EEC_READ_DONE;
}

static const char *read_mac(struct e1000e *nic)
{
	uint32_t low = get(nic, RAL0), high = get(nic, RAH0);

	for (unsigned i = 0; i < E1000E_MAC; i++)
		nic->mac[i] = (uint8_t)(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
	if (!(high & RAH_VALID) || !(low | (high & 0xffff)))
		return "has no MAC address";
	return nic->mac[0] & 1 ? "has a MAC address that is not one station's" : NULL;
}

static void start_ring(struct e1000e *nic, uint32_t at, unsigned page, uint32_t write_back)
{
	put(nic, at, (uint32_t)nic->arena.bus[page]);
	put(nic, at + BASE_HIGH, (uint32_t)(nic->arena.bus[page] >> 32));
	put(nic, at + LENGTH, nic->size * (uint32_t)sizeof(struct e1000e_descriptor));
	put(nic, at + HEAD, 0);
	put(nic, at + TAIL, 0);
	put(nic, at + DELAY, 0);
	put(nic, at + DELAY_AT_MOST, 0);
	put(nic, at + RING_CONTROL, write_back);
	put(nic, at + SECOND_QUEUE + LENGTH, 0);
}

/* Not all models of the card forget everything in a reset. */
static void set_up(struct e1000e *nic)
{
	uint32_t control = get(nic, CTRL), extended = get(nic, CTRL_EXT);

	control &= ~(CTRL_FORCED | CTRL_RESET | CTRL_VLAN | CTRL_PHY_RESET);
	put(nic, CTRL, control | CTRL_LINK);
	put(nic, CTRL_EXT, (extended & ~CTRL_EXT_AUTO_MASK) | CTRL_EXT_LOADED);
	put(nic, RXCSUM, 0);
	put(nic, RFCTL, 0);
	put(nic, MRQC, 0);
	for (uint32_t i = 0; i < MTA_WORDS; i++)
		put(nic, MTA + 4 * i, 0);
	put(nic, ITR, 0);
	put(nic, EITR0, 0);
	put(nic, EIAC, 0);
	put(nic, IVAR, IVAR_FIRST);
	start_ring(nic, RDBAL, 0, RX_WRITE_BACK);
	start_ring(nic, TDBAL, 1, TX_WRITE_BACK);
	put(nic, TIPG, TIPG_USUAL);
}

const char *e1000e_start(struct e1000e *nic, const struct pci_arena *arena)
{
	unsigned pages = arena->pages < E1000E_ARENA_MAX ? arena->pages : E1000E_ARENA_MAX;
	const char *why = read_mac(nic);

	if (why)
		return why;
	if (pages < E1000E_ARENA_MIN)
		return "has too little memory for transfers";
	nic->arena = *arena;
	nic->rx = (struct e1000e_descriptor *)arena->base;
	nic->tx = (struct e1000e_descriptor *)(arena->base + E1000E_PAGE);
	nic->size = (pages - E1000E_CONTROL_PAGES) * (E1000E_PAGE / E1000E_BUFFER) / 2 / E1000E_RING_STEP *
		    E1000E_RING_STEP;
	set_up(nic);
	for (unsigned i = 0; i < nic->size; i++)
		describe(nic, false, i, 0);
	put(nic, ICR, ~0u);
	nic->link_up = get(nic, STATUS) & STATUS_LINK;
	put(nic, RCTL, RCTL_ON | RCTL_ALL | RCTL_NO_CRC);
	put(nic, TCTL, TCTL_ON);
	e1000e_flush(nic);
	put(nic, IMS, CAUSES);
	return NULL;
}
