/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one validator of the boot image and of the manifest blob in it. The image tool's tests, the
 * fuzzer and init run this same code, so what one accepts the other does too.
 *
 * The bytes are hostile: every offset, count and string is checked before it is used, nothing is
 * written, nothing is copied, and memory outside [base, base + size) is never read. The caller keeps
 * the bytes unchanged while it uses a view. No C library beyond <string.h>, no allocation.
 */
#ifndef MANIFEST_H
#define MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pv/abi.h>

enum mf_scope {
	MF_SCOPE_IMAGE,
	MF_SCOPE_ENTRY,
	MF_SCOPE_MANIFEST,
	MF_SCOPE_DOMAIN,
	MF_SCOPE_LINK,
	MF_SCOPE_DEVICE,
};

/* What is wrong, and with which entry or domain. `what` is a constant sentence fragment. */
struct mf_error {
	enum mf_scope scope;
	uint32_t index;
	const char *what;
	char name[PV_NAME_LEN]; /* of the entry or domain when it is readable, else empty */
};

struct mf_image {
	const uint8_t *base;
	uint64_t size;
	const struct pv_image_entry *entries;
	uint32_t count;
};

struct mf_manifest {
	const struct pv_manifest_header *header;
	const struct pv_manifest_domain *domains;
	const struct pv_manifest_link *links;
	const struct pv_manifest_device *devices;
	const char *strings;
	uint32_t count;
	uint32_t link_count;
	uint32_t device_count;
};

/* Checks header, table and every entry's bounds, not the checksums of the entries' bytes. */
bool mf_image_open(struct mf_image *image, const void *base, uint64_t size, struct mf_error *err)
	__attribute__((warn_unused_result));

/* Compares the checksum of one entry's bytes; reads all of them. index < count. */
bool mf_image_verify(const struct mf_image *image, uint32_t index, struct mf_error *err)
	__attribute__((warn_unused_result));

/* Index of the entry of a type that occurs exactly once (PV_ENTRY_INIT, PV_ENTRY_MANIFEST). */
uint32_t mf_image_single(const struct mf_image *image, uint32_t type);

static inline const uint8_t *mf_image_bytes(const struct mf_image *image, uint32_t index)
{
	return image->base + image->entries[index].offset;
}

/* Checks the manifest blob of an opened image, its checksum included, against the image's entries. */
bool mf_manifest_open(struct mf_manifest *manifest, const struct mf_image *image,
		      struct mf_error *err) __attribute__((warn_unused_result));

/* The command line of domain index < count: zero-terminated, inside the blob. */
static inline const char *mf_manifest_cmdline(const struct mf_manifest *manifest, uint32_t index)
{
	return manifest->strings + manifest->domains[index].cmdline_off;
}

/* What a link of kind PV_LINK_BLK has and others have not. */
static inline struct pv_manifest_link_blk mf_link_blk(const struct pv_manifest_link *link)
{
	struct pv_manifest_link_blk blk;

	_Static_assert(sizeof(blk) == sizeof(link->config), "the kind's part fills its place");
	memcpy(&blk, link->config, sizeof(blk));
	return blk;
}

/* Likewise PV_LINK_NET. */
static inline struct pv_manifest_link_net mf_link_net(const struct pv_manifest_link *link)
{
	struct pv_manifest_link_net net;

	_Static_assert(sizeof(net) == sizeof(link->config), "the kind's part fills its place");
	memcpy(&net, link->config, sizeof(net));
	return net;
}

/* Devices the manifest lists for a domain. */
uint32_t mf_manifest_devices_of(const struct mf_manifest *manifest, uint32_t domain);

/* One readable line: "domain 2 'vm1': vcpus is not 1..16". Returns buf, always terminated (size > 0). */
const char *mf_error_text(const struct mf_error *err, char *buf, size_t size);

/* CRC-32 (IEEE 802.3, as zlib computes it) of `len` bytes continued from `crc`; start with 0. */
uint32_t mf_crc32(uint32_t crc, const void *data, size_t len);

#endif
