/* SPDX-License-Identifier: BSD-2-Clause */
#include "fakedisk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <blk/blk.h>
#include <pci/mmio.h>

#include "fakebus.h"

#define NOTIFY_AT 0x3000u
#define DEVICE_AT 0x2000u

struct fakedisk fakedisk;

struct vpci_common *fakedisk_common(void)
{
	return (struct vpci_common *)fakedisk.registers;
}

void fakedisk_init(void)
{
	struct fakedisk *d = &fakedisk;

	memset(d, 0, sizeof(*d));
	d->virtio.common = (struct pci_region){ 4, 0, 0x1000 };
	d->virtio.isr = (struct pci_region){ 4, 0x1000, 0x1000 };
	d->virtio.device = (struct pci_region){ 4, DEVICE_AT, 0x1000 };
	d->virtio.notify = (struct pci_region){ 4, NOTIFY_AT, 0x1000 };
	d->virtio.notify_multiplier = 4;
	d->offered = VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_F_EVENT_IDX) |
		     VIRTIO_BIT(BLK_F_SEG_MAX) | VIRTIO_BIT(BLK_F_BLK_SIZE) |
		     VIRTIO_BIT(BLK_F_FLUSH) | VIRTIO_BIT(BLK_F_DISCARD) |
		     VIRTIO_BIT(BLK_F_WRITE_ZEROES) | VIRTIO_BIT(BLK_F_MQ);
	*(struct blk_config *)d->config = (struct blk_config){
		.capacity = FAKEDISK_SECTORS,
		.seg_max = 254,
		.blk_size = 512,
		.max_discard_sectors = 100,
		.max_discard_seg = 1,
		.max_write_zeroes_sectors = 50,
		.max_write_zeroes_seg = 1,
	};
	memcpy(d->registers + DEVICE_AT, d->config, sizeof(d->config));
	d->queue_max = 256;
	d->medium = calloc(FAKEDISK_SECTORS, 512);
	d->arena.base = fakebus_begin(d->bus, FAKEDISK_PAGES);
	d->arena.bus = d->bus;
	d->arena.pages = FAKEDISK_PAGES;
	fakedisk_common()->num_queues = 1;
}

void fakedisk_free(void)
{
	free(fakedisk.medium);
	fakebus_end();
}

/* ---- registers ---- */

void mmio_test_read(const void *reg)
{
	struct fakedisk *d = &fakedisk;
	struct vpci_common *c = fakedisk_common();

	if (reg == &c->device_feature)
		c->device_feature =
			(uint32_t)(c->device_feature_select ? d->offered >> 32 : d->offered);
	else if (reg == &c->queue_size)
		c->queue_size = d->size ? d->size : d->queue_max;
	else if (reg == &c->queue_notify_off)
		c->queue_notify_off = c->queue_notify_off ? c->queue_notify_off : 0;
	else if (reg == &c->config_generation && d->restless)
		c->config_generation++;
}

static void set_status(uint8_t status)
{
	struct fakedisk *d = &fakedisk;
	struct vpci_common *c = fakedisk_common();

	if (status == 0) {
		d->resets++;
		d->enabled = false;
		d->taken = d->size = 0;
		d->accepted = 0;
		c->device_status = d->slow_reset ? VIRTIO_ACKNOWLEDGE : 0;
		d->slow_reset = false;
		return;
	}
	if (d->refuse_features || (d->accepted & ~d->offered))
		c->device_status = status & (uint8_t)~VIRTIO_FEATURES_OK;
}

void mmio_test_write(void *reg)
{
	struct fakedisk *d = &fakedisk;
	struct vpci_common *c = fakedisk_common();

	if (reg == &c->device_status)
		set_status(c->device_status);
	else if (reg == &c->driver_feature)
		d->accepted |= (uint64_t)c->driver_feature << (c->driver_feature_select ? 32 : 0);
	else if (reg == &c->queue_size)
		d->size = c->queue_size;
	else if (reg == &c->queue_msix_vector && d->refuse_vector)
		c->queue_msix_vector = VPCI_NO_VECTOR;
	else if (reg == &c->queue_enable) {
		d->desc = c->queue_desc[0] | (uint64_t)c->queue_desc[1] << 32;
		d->avail = c->queue_driver[0] | (uint64_t)c->queue_driver[1] << 32;
		d->used = c->queue_device[0] | (uint64_t)c->queue_device[1] << 32;
		d->vector = c->queue_msix_vector;
		d->enabled = true;
	} else if ((uint8_t *)reg >= d->registers + NOTIFY_AT) {
		d->kicks++;
	}
}

/* ---- commands ---- */

static uint8_t transfer(const struct vr_desc *data, unsigned count, uint64_t sector, bool writing,
			uint32_t *written)
{
	uint64_t at = sector * 512;

	for (unsigned i = 0; i < count; i++) {
		void *bytes = dma(data[i].addr, data[i].len);

		if (at + data[i].len > FAKEDISK_SECTORS * 512ull)
			return BLK_S_IOERR;
		if (writing)
			memcpy(fakedisk.medium + at, bytes, data[i].len);
		else
			memcpy(bytes, fakedisk.medium + at, data[i].len);
		at += data[i].len;
		*written += writing ? 0 : data[i].len;
	}
	return BLK_S_OK;
}

static uint8_t ranges(const struct vr_desc *data, uint32_t type)
{
	const struct blk_range *range = dma(data->addr, sizeof(*range));
	uint32_t most = type == BLK_T_DISCARD ? 100 : 50;

	assert_int_equal(data->len, sizeof(*range));
	assert_true(range->sectors && range->sectors <= most);
	memset(fakedisk.medium + range->sector * 512, type == BLK_T_DISCARD ? 0xdd : 0,
	       range->sectors * 512);
	return BLK_S_OK;
}

static uint32_t execute(uint16_t head)
{
	const struct vr_desc *table = dma(fakedisk.desc, 16);
	struct vr_desc chain[32];
	unsigned n = 0;
	uint32_t written = 0;
	uint8_t status = BLK_S_OK, *status_at;
	const uint32_t *header;

	for (uint16_t at = head;; at = table[at].next) {
		assert_true(n < 32 && at < fakedisk.size);
		chain[n++] = table[at];
		if (!(table[at].flags & VR_DESC_NEXT))
			break;
	}
	fakedisk.longest = n > fakedisk.longest ? n : fakedisk.longest;
	assert_int_equal(chain[0].len, 16);
	assert_int_equal(chain[n - 1].len, 1);
	assert_true(chain[n - 1].flags & VR_DESC_WRITE);
	header = dma(chain[0].addr, 16);
	status_at = dma(chain[n - 1].addr, 1);
	if (header[0] == BLK_T_FLUSH)
		fakedisk.flushes++;
	else if (header[0] == BLK_T_IN || header[0] == BLK_T_OUT)
		status = transfer(chain + 1, n - 2, header[2], header[0] == BLK_T_OUT, &written);
	else
		status = ranges(chain + 1, header[0]);
	if (fakedisk.lie == LIE_STATUS)
		status = BLK_S_IOERR;
	if (fakedisk.lie != LIE_NO_STATUS)
		*status_at = status;
	fakedisk.commands++;
	return fakedisk.lie == LIE_SHORT ? written / 2 : fakedisk.lie == LIE_LONG ? ~0u : written + 1;
}

unsigned fakedisk_work(unsigned limit, bool backwards)
{
	struct fakedisk *d = &fakedisk;
	const struct vr_avail *avail;
	struct vr_used *used;
	uint16_t heads[256];
	unsigned n = 0;

	if (!d->enabled)
		return 0;
	avail = dma(d->avail, VR_AVAIL_BYTES(d->size));
	used = dma(d->used, VR_USED_BYTES(d->size));
	while (d->taken != avail->idx && n < limit)
		heads[n++] = avail->ring[d->taken++ % d->size];
	for (unsigned i = 0; i < n; i++) {
		uint16_t head = heads[backwards ? n - 1 - i : i];
		uint32_t written = execute(head);

		used->ring[used->idx % d->size] = (struct vr_used_elem){
			d->lie == LIE_ID ? head + 1u : head, written };
		used->idx++;
		if (d->lie == LIE_TWICE) {
			used->ring[used->idx % d->size] = (struct vr_used_elem){ head, written };
			used->idx++;
		} else if (d->lie == LIE_INDEX) {
			used->idx = (uint16_t)(used->idx + 300);
		}
	}
	/* tell me of the next one */
	*(uint16_t *)&used->ring[d->size] = d->taken;
	return n;
}
