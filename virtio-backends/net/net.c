/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The switch; see net.h.
 *
 *	sender's queue -> headers copied -> metadata true? -> source true? -> for each target:
 *	as it is, or cut into segments -> checksum -> buffers of the target -> all of them published
 */
#include "net.h"

#define HDR_BYTES ((uint32_t)sizeof(struct net_hdr))
#define RUN_MAX 64u /* looks at a queue in one run */
#define SUM_BYTES 1536u /* of a payload that are summed at once: most frames */

struct net_config {
	uint8_t mac[FRAME_MAC];
	uint16_t status, max_pairs, mtu;
};

/* The payload behind the head: bytes of the sender's window. */
struct payload {
	const struct vr_seg *segs;
	unsigned count;
	uint64_t at; /* in segs */
	uint32_t len;
};

static bool same_mac(const uint8_t *a, const uint8_t *b)
{
	for (unsigned i = 0; i < FRAME_MAC; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

/* Takes buffers until they have room for `bytes`, or for the first one only without MRG_RXBUF. Returns how
 * many it takes, or 0: what was taken is kept for a smaller frame. */
static unsigned collect(struct net_link *to, uint64_t bytes)
{
	unsigned most = vdev_has(&to->dev, NET_F_MRG_RXBUF) ? NET_MERGE_MAX : 1;
	uint64_t room = 0;

	for (unsigned i = 0; i < most; i++) {
		struct net_buffer *buffer = &to->buffers[i];

		if (i == to->held) {
			struct devq_chain chain = { .segs = buffer->segs, .max = NET_RX_SEGS };

			if (!vdev_pop(&to->dev, NET_QUEUE_RX, &chain))
				return 0;
			to->held++;
			buffer->head = chain.head;
			buffer->count = chain.writable;
			for (unsigned j = 0; chain.readable && j < chain.writable; j++)
				buffer->segs[j] = buffer->segs[chain.readable + j];
			buffer->room = vr_total(buffer->segs, buffer->count);
		}
		/* The first has to hold the header. */
		if (i == 0 && buffer->room < HDR_BYTES + FRAME_ETHERNET)
			return 0;
		room += buffer->room;
		if (room >= bytes)
			return i + 1;
	}
	return 0;
}

/* Hands out the first n buffers held, all at once. */
static void use(struct net_link *to, unsigned n, uint64_t bytes)
{
	for (unsigned i = 0; i < n; i++) {
		struct net_buffer *buffer = &to->buffers[i];
		uint64_t part = bytes < buffer->room ? bytes : buffer->room;

		vdev_fill(&to->dev, NET_QUEUE_RX, buffer->head, (uint32_t)part);
		bytes -= part;
	}
	vdev_publish(&to->dev, NET_QUEUE_RX);
	to->held -= n;
	for (unsigned i = 0; i < to->held; i++)
		to->buffers[i] = to->buffers[n + i];
}

/* Where the next byte of a frame goes: a buffer and an offset in it. */
struct cursor {
	const struct net_buffer *buffer;
	uint64_t at;
};

static void put(struct cursor *to, const uint8_t *bytes, size_t len)
{
	while (len) {
		size_t done = vr_scatter(to->buffer->segs, to->buffer->count, to->at, bytes, len);

		to->at += done;
		bytes += done;
		len -= done;
		if (len) {
			to->buffer++;
			to->at = 0;
		}
	}
}

static void put_payload(struct cursor *to, const struct payload *payload)
{
	uint64_t skip = payload->at;
	uint32_t left = payload->len;

	for (unsigned i = 0; i < payload->count && left; i++) {
		const struct vr_seg *seg = &payload->segs[i];
		uint32_t n;

		if (skip >= seg->len) {
			skip -= seg->len;
			continue;
		}
		n = seg->len - (uint32_t)skip < left ? seg->len - (uint32_t)skip : left;
		put(to, seg->at + skip, n);
		left -= n;
		skip = 0;
	}
}

/* What NEEDS_CSUM asks for. The payload may still change under us: then the sum is wrong, and the
 * sender's frame with it. */
static void fill_checksum(struct frame *frame, const struct payload *payload)
{
	uint32_t start = frame->hdr.csum_start;
	uint8_t *field = frame->head + start + frame->hdr.csum_offset;
	uint32_t sum = frame_sum(0, frame->head + start, frame->head_len - start, false);
	bool odd = (frame->head_len - start) & 1;
	uint8_t bytes[SUM_BYTES];
	uint16_t check;

	for (uint32_t at = 0; at < payload->len;) {
		uint32_t n = payload->len - at < sizeof(bytes) ? payload->len - at : sizeof(bytes);

		(void)vr_gather(bytes, payload->segs, payload->count, payload->at + at, n);
		sum = frame_sum(sum, bytes, n, odd);
		odd ^= n & 1;
		at += n;
	}
	check = (uint16_t)~frame_fold(sum);
	if (check == 0)
		check = 0xffff; /* zero means "none" to UDP, and the same as this to all */
	field[0] = (uint8_t)(check >> 8);
	field[1] = (uint8_t)check;
	frame->hdr.flags = 0;
	frame->hdr.csum_start = frame->hdr.csum_offset = 0;
}

/* One frame as it is into the target's buffers. */
static bool put_frame(struct net_link *to, struct frame *frame, const struct payload *payload)
{
	uint64_t bytes = (uint64_t)HDR_BYTES + frame->head_len + payload->len;
	unsigned n = collect(to, bytes);
	struct cursor cursor = { to->buffers, 0 };

	if (n == 0) {
		to->counters.no_buffer++;
		return false;
	}
	if (frame->hdr.flags && !vdev_has(&to->dev, NET_F_GUEST_CSUM))
		fill_checksum(frame, payload);
	frame->hdr.num_buffers = (uint16_t)n;
	put(&cursor, (const uint8_t *)&frame->hdr, HDR_BYTES);
	put(&cursor, frame->head, frame->head_len);
	put_payload(&cursor, payload);
	use(to, n, bytes);
	to->burst_frames = 0;
	to->counters.received++;
	return true;
}

/* One frame to the card, which does nothing of what its metadata asks for. */
static bool put_card(struct net_switch *sw, struct frame *frame, const struct payload *payload)
{
	const struct net_card *card = sw->card;
	uint32_t len = frame->head_len + payload->len;
	uint8_t *at = len <= FRAME_ETHERNET + card->mtu ? card->room(card->self) : NULL;

	if (!at) {
		sw->card_counters.no_buffer++;
		return false;
	}
	if (frame->hdr.flags)
		fill_checksum(frame, payload);
	vr_copy(at, frame->head, frame->head_len);
	(void)vr_gather(at + frame->head_len, payload->segs, payload->count, payload->at, payload->len);
	card->send(card->self, len);
	sw->card_counters.received++;
	return true;
}

/* A segment too large for the target's network, in pieces: at most 64 KiB / FRAME_GSO_MIN of them. NULL is
 * the card. */
static void put_pieces(struct net_link *to, struct net_switch *sw, const struct payload *payload)
{
	const struct frame *whole = &sw->frame;
	uint32_t total = whole->len - whole->headers;
	uint64_t base = payload->at - (whole->head_len - whole->headers);

	for (uint32_t at = 0; at < total; at += whole->hdr.gso_size) {
		uint32_t len = total - at < whole->hdr.gso_size ? total - at : whole->hdr.gso_size;
		struct payload part = { payload->segs, payload->count, base + at, len };

		frame_cut(&sw->piece, whole, at, len);
		if (!(to ? put_frame(to, &sw->piece, &part) : put_card(sw, &sw->piece, &part)))
			return;
	}
}

static void deliver(struct net_link *to, struct net_switch *sw, const struct payload *payload)
{
	const struct frame *frame = &sw->frame;

	if (!vdev_queue_live(&to->dev, NET_QUEUE_RX)) {
		to->counters.no_buffer++;
	} else if (frame->hdr.gso_type != NET_GSO_NONE &&
		   !(vdev_has(&to->dev, NET_F_GUEST_TSO4) && vdev_has(&to->dev, NET_F_GUEST_CSUM))) {
		put_pieces(to, sw, payload);
	} else if (frame->hdr.gso_type == NET_GSO_NONE &&
		   frame->len > FRAME_ETHERNET + to->options.mtu) {
		to->counters.no_buffer++;
	} else {
		/* A copy: the checksum may be filled in for one target and not for the next. */
		sw->piece = *frame;
		(void)put_frame(to, &sw->piece, payload);
	}
}

static void deliver_card(struct net_switch *sw, const struct payload *payload)
{
	if (sw->frame.hdr.gso_type != NET_GSO_NONE) {
		put_pieces(NULL, sw, payload);
	} else {
		sw->piece = sw->frame;
		(void)put_card(sw, &sw->piece, payload);
	}
}

/* May a frame from one link, or from the card (NULL), reach another? */
static bool reaches(const struct net_link *from, const struct net_link *to)
{
	if (from == to)
		return false;
	if (!from)
		return true;
	if (from->options.uplink || to->options.uplink)
		return true;
	return !from->options.isolated && !to->options.isolated;
}

static struct net_link *owner(const struct net_switch *sw, const uint8_t *mac)
{
	for (struct net_link *link = sw->links; link; link = link->next)
		if (!link->options.uplink && same_mac(link->options.mac, mac))
			return link;
	return NULL;
}

/* An uplink and the card speak for the rest of the world, never for a link of ours. */
static bool is_foreign(const struct net_switch *sw, const struct frame *frame)
{
	const uint8_t *source = frame->head + FRAME_MAC;

	return !(source[0] & 1) && !owner(sw, source);
}

static bool source_is_true(const struct net_link *from, const struct frame *frame)
{
	return from->options.uplink ? is_foreign(from->sw, frame) :
				      frame_source_fits(frame, &from->rules);
}

/* Where the frame under way goes. from: NULL is the card. */
static void route(struct net_switch *sw, struct net_link *from, const struct payload *payload)
{
	const uint8_t *target = sw->frame.head;
	struct net_link *to = target[0] & 1 ? NULL : owner(sw, target);
	bool found = false;

	for (struct net_link *link = sw->links; link; link = link->next) {
		bool wanted = to ? link == to : (target[0] & 1) || link->options.uplink;

		if (!wanted || !reaches(from, link))
			continue;
		found = true;
		deliver(link, sw, payload);
	}
	if (from && sw->card && !to) {
		found = true;
		deliver_card(sw, payload);
	}
	if (!found)
		(from ? &from->counters : &sw->card_counters)->no_target++;
}

static void drop_spoofed(struct net_link *from)
{
	const struct port *port = from->dev.port;

	if (from->counters.spoofed++ < NET_SPOOFS_LOGGED)
		port->log(port->self, "net: a frame with a forged source was dropped");
}

/* The frame under way: its first bytes, and the rest. `skip` bytes are in front of it. */
static struct payload take_head(struct net_switch *sw, unsigned count, uint32_t skip, uint32_t len)
{
	struct frame *frame = &sw->frame;

	frame->len = len;
	frame->head_len = len < FRAME_HEAD ? len : FRAME_HEAD;
	frame->headers = 0;
	(void)vr_gather(frame->head, sw->segs, count, skip, frame->head_len);
	return (struct payload){ sw->segs, count, skip + frame->head_len, len - frame->head_len };
}

/* One frame of a sender, out of the segments of its chain. */
static void send(struct net_link *from, unsigned count, unsigned writable)
{
	struct net_switch *sw = from->sw;
	struct frame *frame = &sw->frame;
	uint64_t total = vr_total(sw->segs, count);
	struct payload payload;

	bucket_take(&from->bucket, total);
	if (writable || total < HDR_BYTES + FRAME_ETHERNET ||
	    total > HDR_BYTES + FRAME_ETHERNET + FRAME_GSO_MAX) {
		from->counters.malformed++;
		return;
	}
	(void)vr_gather(&frame->hdr, sw->segs, count, 0, HDR_BYTES);
	payload = take_head(sw, count, HDR_BYTES, (uint32_t)total - HDR_BYTES);
	if (!frame_check(frame, &from->rules)) {
		from->counters.malformed++;
	} else if (!source_is_true(from, frame)) {
		drop_spoofed(from);
	} else {
		from->counters.sent++;
		from->counters.bytes += frame->len;
		from->burst_frames++;
		from->burst_bytes += frame->len;
		route(sw, from, &payload);
	}
}

void net_receive(struct net_switch *sw, const uint8_t *bytes, uint32_t len)
{
	const struct frame_rules rules = { .mtu = sw->card->mtu };
	struct payload payload;

	sw->segs[0] = (struct vr_seg){ (uint8_t *)(uintptr_t)bytes, 0, len };
	sw->frame.hdr = (struct net_hdr){ 0 };
	payload = take_head(sw, 1, 0, len);
	if (!frame_check(&sw->frame, &rules)) {
		sw->card_counters.malformed++;
	} else if (!is_foreign(sw, &sw->frame)) {
		sw->card_counters.spoofed++;
	} else {
		sw->card_counters.sent++;
		sw->card_counters.bytes += len;
		route(sw, NULL, &payload);
	}
}

void net_flush(struct net_switch *sw)
{
	for (struct net_link *to = sw->links; to; to = to->next)
		vdev_flush(&to->dev, NET_QUEUE_RX);
	if (sw->card)
		sw->card->flush(sw->card->self);
}

/* Is it sending one frame after the other? Then it is looked at again after a pause, and then for all of them, instead
 * of being told to ring for each. */
static bool in_burst(struct net_link *link)
{
	bool burst = link->burst_frames >= NET_BURST_FRAMES || link->burst_bytes >= NET_BURST_BYTES;

	link->burst_bytes = 0;
	if (burst)
		link->burst_frames = 0;
	return burst;
}

static uint64_t serve(struct net_link *link, uint64_t now)
{
	struct devq_chain chain = { .segs = link->sw->segs, .max = NET_TX_SEGS };

	for (unsigned i = 0; i < RUN_MAX; i++) {
		uint64_t ready = bucket_ready(&link->bucket, now);

		if (ready > now)
			return ready;
		if (!vdev_pop(&link->dev, NET_QUEUE_TX, &chain)) {
			if (in_burst(link))
				return now + NET_PAUSE;
			if (!vdev_sleep(&link->dev, NET_QUEUE_TX))
				return VDEV_IDLE;
			continue;
		}
		if (chain.replayed)
			link->counters.replayed++; /* perhaps sent, perhaps not: not twice */
		else
			send(link, chain.readable, chain.writable);
		vdev_push(&link->dev, NET_QUEUE_TX, chain.head, 0);
	}
	return now;
}

static uint64_t net_run(struct vdev *dev, uint64_t now)
{
	struct net_link *link = (struct net_link *)dev;
	uint64_t wake;

	if (!vdev_queue_live(dev, NET_QUEUE_TX))
		return VDEV_IDLE;
	link->rules.csum = vdev_has(dev, NET_F_CSUM);
	link->rules.tso4 = vdev_has(dev, NET_F_HOST_TSO4);
	devq_no_kick(&dev->queues[NET_QUEUE_TX]);
	wake = serve(link, now);
	vdev_flush(dev, NET_QUEUE_TX);
	net_flush(link->sw);
	return wake;
}

static void net_start(struct vdev *dev)
{
	/* Buffers are looked for when there is a frame; nobody waits for them. */
	if (vdev_queue_live(dev, NET_QUEUE_RX))
		devq_no_kick(&dev->queues[NET_QUEUE_RX]);
}

static void net_stop(struct vdev *dev)
{
	((struct net_link *)dev)->held = 0;
}

static const struct vdev_class net_class = {
	.name = "net",
	.device_id = 1,
	.queues = 2,
	.start = net_start,
	.run = net_run,
	.stop = net_stop,
};

void net_link_set_up(struct net_link *link, bool up)
{
	struct net_config config = { .status = up, .max_pairs = 1,
				     .mtu = (uint16_t)link->options.mtu };

	vr_copy(config.mac, link->options.mac, FRAME_MAC);
	vdev_config_set(&link->dev, 0, &config, sizeof(config));
}

void net_switch_init(struct net_switch *sw, const struct net_card *card)
{
	sw->links = NULL;
	sw->card = card;
	sw->card_counters = (struct net_counters){ 0 };
}

void net_link_remove(struct net_link *link)
{
	struct net_link **at = &link->sw->links;

	while (*at && *at != link)
		at = &(*at)->next;
	if (*at)
		*at = link->next;
}

const char *net_link_init(struct net_link *link, struct net_switch *sw,
			  const struct net_options *options, const struct port *port,
			  const struct vr_window *window)
{
	uint32_t mtu = options->mtu ? options->mtu : 1500;

	if (mtu < FRAME_MTU_MIN || mtu > FRAME_MTU_MAX)
		return "an MTU from 68 to 9000";
	if (options->mac[0] & 1)
		return "a MAC address of one station";
	for (struct net_link *other = sw->links; other; other = other->next)
		if (same_mac(other->options.mac, options->mac))
			return "a MAC address no other link has";
	*link = (struct net_link){ .sw = sw, .next = sw->links, .options = *options };
	link->options.mtu = mtu;
	link->rules.mtu = mtu;
	vr_copy(link->rules.mac, options->mac, FRAME_MAC);
	vr_copy(link->rules.ip4, options->ip4, sizeof(options->ip4));
	bucket_init(&link->bucket, options->bytes_per_second, options->burst_bytes,
		    port->now(port->self));
	vdev_init(&link->dev, &net_class, port, window,
		  VIRTIO_BIT(NET_F_CSUM) | VIRTIO_BIT(NET_F_GUEST_CSUM) | VIRTIO_BIT(NET_F_MTU) |
			  VIRTIO_BIT(NET_F_MAC) | VIRTIO_BIT(NET_F_GUEST_TSO4) |
			  VIRTIO_BIT(NET_F_HOST_TSO4) | VIRTIO_BIT(NET_F_MRG_RXBUF) |
			  VIRTIO_BIT(NET_F_STATUS),
		  NET_QUEUE_SIZE);
	net_link_set_up(link, true);
	sw->links = link;
	return NULL;
}
