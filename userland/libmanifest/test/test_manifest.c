/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host test of the validator: a good image is accepted, every single corruption is named, and no
 * truncation or bit flip makes it read outside the buffer (AddressSanitizer watches: each image lives in
 * an allocation of exactly its size).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "manifest.h"

#define PAGE 4096
#define ENTRIES 4
#define DOMAINS 2
#define LINKS 3
#define DEVICES 2
#define CMDLINE "console=hvc0"
#define BLOB_SIZE (sizeof(struct pv_manifest_header) + \
		   DOMAINS * sizeof(struct pv_manifest_domain) + \
		   LINKS * sizeof(struct pv_manifest_link) + \
		   DEVICES * sizeof(struct pv_manifest_device) + sizeof(CMDLINE))
#define IMAGE_SIZE (5 * PAGE)

/* The test image: page 1 init, page 2 manifest, page 3 kernel, page 4 initrd. */
struct fixture {
	uint8_t *bytes;
	struct pv_image_header *header;
	struct pv_image_entry *entries;
	struct pv_manifest_header *blob;
	struct pv_manifest_domain *domains;
	struct pv_manifest_link *links;
	struct pv_manifest_device *devices;
	char *strings;
};

/* Makes every checksum right again, so that a test sees the check behind it. */
static void seal(struct fixture *f)
{
	f->blob->crc32 = mf_crc32(0, f->blob + 1, BLOB_SIZE - sizeof(*f->blob));
	for (int i = 0; i < ENTRIES; i++) {
		uint64_t size = f->entries[i].size <= PAGE ? f->entries[i].size : 0;

		f->entries[i].crc32 = mf_crc32(0, f->bytes + (i + 1) * PAGE, size);
	}
	f->header->crc32 = mf_crc32(0, f->entries, ENTRIES * sizeof(*f->entries));
}

static void fill_domain(struct pv_manifest_domain *domain, const char *name)
{
	strcpy((char *)domain->name, name);
	domain->kind = PV_KIND_WALKED;
	domain->flags = PV_MDOM_CONSOLE;
	domain->mem_pages = 64;
	domain->kmem_pages = 8;
	domain->vcpus = 1;
	domain->weight = 256;
	domain->vtlb_tables = (uint32_t)PV_VTLB_MAX;
	domain->kernel_entry = 2;
	domain->initrd_entry = 3;
	domain->cmdline_len = sizeof(CMDLINE) - 1;
}

/* vm1 drives what vm2 serves: a disk and two network cards */
static void fill_links(struct pv_manifest_link links[LINKS])
{
	static const char *const names[LINKS] = { "blk0", "net1", "net2" };

	for (int i = 0; i < LINKS; i++) {
		strcpy((char *)links[i].name, names[i]);
		links[i].kind = i ? PV_LINK_NET : PV_LINK_BLK;
		links[i].back = 1;
		links[i].window_pages = 512;
	}
	links[0].disk_pages = 256;
}

static struct pv_manifest_link_blk *blk(struct fixture *f)
{
	return (void *)f->links[0].config;
}

static struct pv_manifest_link_net *net(struct fixture *f, int i)
{
	return (void *)f->links[i].config;
}

/* ... the disk behind it being vm2's device */
static void on_device(struct fixture *f)
{
	blk(f)->device = 1;
	f->links[0].disk_pages = 0;
}

static void fixture_make(struct fixture *f)
{
	static const char *const names[ENTRIES] = { "init", "manifest", "vmlinux", "initrd" };

	f->bytes = aligned_alloc(PAGE, IMAGE_SIZE);
	memset(f->bytes, 0, IMAGE_SIZE);
	f->header = (void *)f->bytes;
	f->entries = (void *)(f->header + 1);
	f->blob = (void *)(f->bytes + 2 * PAGE);
	f->domains = (void *)(f->blob + 1);
	f->links = (void *)(f->domains + DOMAINS);
	f->devices = (void *)(f->links + LINKS);
	f->strings = (char *)(f->devices + DEVICES);

	f->header->magic = PV_IMAGE_MAGIC;
	f->header->version = PV_IMAGE_VERSION;
	f->header->count = ENTRIES;
	f->header->size = IMAGE_SIZE;
	for (int i = 0; i < ENTRIES; i++) {
		strcpy((char *)f->entries[i].name, names[i]);
		f->entries[i].type = (uint32_t)(PV_ENTRY_INIT + i);
		f->entries[i].offset = (uint64_t)(i + 1) * PAGE;
		f->entries[i].size = 100;
	}
	f->entries[1].size = BLOB_SIZE;
	f->blob->magic = PV_MANIFEST_MAGIC;
	f->blob->version = PV_MANIFEST_VERSION;
	f->blob->domains = DOMAINS;
	f->blob->links = LINKS;
	f->blob->devices = DEVICES;
	f->blob->size = BLOB_SIZE;
	f->blob->strings_size = sizeof(CMDLINE);
	strcpy((char *)f->blob->name, "test");
	fill_domain(&f->domains[0], "vm1");
	fill_domain(&f->domains[1], "vm2");
	f->domains[1].kind = PV_KIND_EXPLICIT;
	fill_links(f->links);
	for (int i = 1; i < LINKS; i++)
		net(f, i)->mac[5] = net(f, i)->ip4[3] = (uint8_t)i;
	f->domains[1].dma_pages = 256;
	f->devices[0].domain = 1;
	f->devices[0].bdf = 0x20;
	f->devices[1].domain = 1;
	f->devices[1].bdf = 0x28;
	memcpy(f->strings, CMDLINE, sizeof(CMDLINE));
	seal(f);
}

/* Each test finds a good image in its state. */
static int setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	fixture_make(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->bytes);
	free(f);
	return 0;
}

static bool accept(const struct fixture *f, uint64_t size, struct mf_error *err)
{
	struct mf_image image;
	struct mf_manifest manifest;

	if (!mf_image_open(&image, f->bytes, size, err))
		return false;
	for (uint32_t i = 0; i < image.count; i++)
		if (!mf_image_verify(&image, i, err))
			return false;
	return mf_manifest_open(&manifest, &image, err);
}

/* What is said of an image that is refused. */
static const char *refusal(const struct fixture *f)
{
	static char text[160];
	struct mf_error err;

	assert_false(accept(f, IMAGE_SIZE, &err));
	return mf_error_text(&err, text, sizeof(text));
}

static void good_image_is_accepted(void **state)
{
	struct fixture *f = *state;
	struct mf_error err;
	struct mf_image image;
	struct mf_manifest manifest;

	assert_true(accept(f, IMAGE_SIZE, &err));
	assert_true(mf_image_open(&image, f->bytes, IMAGE_SIZE, &err));
	assert_int_equal(mf_image_single(&image, PV_ENTRY_INIT), 0);
	assert_int_equal(mf_image_single(&image, PV_ENTRY_MANIFEST), 1);
	assert_true(mf_manifest_open(&manifest, &image, &err));
	assert_int_equal(manifest.count, DOMAINS);
	assert_string_equal(mf_manifest_cmdline(&manifest, 1), CMDLINE);
}

/* One change to a good image and a piece of the message it must give. */
#define CASES \
	CASE(f.header->magic ^= 1, "wrong magic") \
	CASE(f.header->version++, "version") \
	CASE(f.header->size++, "truncated") \
	CASE(f.header->size = 100, "smaller than its entry table") \
	CASE(f.header->count = 0, "number of entries") \
	CASE(f.header->count = 129, "number of entries") \
	CASE(f.header->reserved[3] = 1, "reserved") \
	CASE(f.header->reserved0 = 1, "reserved") \
	CASE(f.entries[0].name[0] = 0, "entry 0 has an unreadable name") \
	CASE(memset(f.entries[0].name, 'a', 32), "unreadable name") \
	CASE(f.entries[2].name[31] = 'x', "unreadable name") \
	CASE(f.entries[2].name[0] = 7, "unreadable name") \
	CASE(strcpy((char *)f.entries[3].name, "vmlinux"), "'vmlinux' has the name of another") \
	CASE(f.entries[2].type = 9, "unknown type") \
	CASE(f.entries[2].type = 0, "unknown type") \
	CASE(f.entries[2].reserved = 1, "reserved") \
	CASE(f.entries[2].offset += 8, "page boundary") \
	CASE(f.entries[2].offset = 0, "outside the image") \
	CASE(f.entries[2].offset = ~0xfffull, "outside the image") \
	CASE(f.entries[2].size = ~0ull, "outside the image") \
	CASE(f.entries[2].size = 0, "is empty") \
	CASE(f.entries[2].offset = 4 * PAGE, "overlaps") \
	CASE(f.entries[2].size = PAGE + 1, "overlaps") \
	CASE(f.entries[0].type = PV_ENTRY_KERNEL, "exactly one root domain") \
	CASE(f.entries[2].type = PV_ENTRY_INIT, "exactly one root domain") \
	CASE(f.entries[1].type = PV_ENTRY_KERNEL, "exactly one manifest") \
	CASE(f.entries[1].size = 64, "not even a header") \
	CASE(f.entries[1].size--, "gives another size") \
	CASE(f.blob->magic = 0, "wrong magic") \
	CASE(f.blob->version = 7, "version") \
	CASE(f.blob->size++, "gives another size") \
	CASE(f.blob->domains = 0, "number of domains") \
	CASE(f.blob->domains = 65, "number of domains") \
	CASE(f.blob->domains = 3, "do not add up") \
	CASE(f.blob->strings_size++, "do not add up") \
	CASE(f.blob->name[0] = 0, "manifest has an unreadable name") \
	CASE(f.blob->reserved[6] = 1, "reserved") \
	CASE(f.domains[0].name[0] = 0, "domain 0 has an unreadable name") \
	CASE(strcpy((char *)f.domains[0].name, "init"), "root domain's name") \
	CASE(strcpy((char *)f.domains[1].name, "vm1"), "domain 1 'vm1' has the name") \
	CASE(f.domains[0].kind = 2, "unknown kind") \
	CASE(f.blob->links = 33, "number of links") \
	CASE(f.blob->links = 2, "do not add up") \
	CASE(f.blob->devices = 33, "number of devices") \
	CASE(f.blob->devices = 1, "do not add up") \
	CASE(f.devices[1].bdf = 0x20, "device 1 is given to two domains") \
	CASE(f.devices[0].domain = 2, "device 0 is for a domain that does not exist") \
	CASE((f.devices[0].domain = 0, f.domains[0].dma_pages = 1), "Linux domain with memory for DMA alone") \
	CASE((f.devices[0].domain = 0, f.domains[0].mem_pages = (3u << 18) + 1), "more than 3 GiB") \
	CASE(f.domains[1].dma_pages = 0, "without memory for DMA") \
	CASE(f.domains[1].dma_pages = 16385, "impossible amount of memory for DMA") \
	CASE(f.devices[0].match = 3, "unknown way") \
	CASE(f.devices[0].bdf = 0x10000, "impossible address") \
	CASE(f.devices[0].vendor = 0x10000, "impossible address") \
	CASE(f.devices[0].device = 0x10000, "impossible address") \
	CASE(f.devices[0].class = 0x10000, "impossible address") \
	CASE(f.devices[0].reserved = 1, "reserved") \
	CASE(blk(&f)->device = 1, "both a RAM disk and a device") \
	CASE((blk(&f)->device = 3, f.links[0].disk_pages = 0), "its back end does not have") \
	CASE(blk(&f)->first = 1, "part of a RAM disk") \
	CASE(blk(&f)->sectors = 1, "part of a RAM disk") \
	CASE((on_device(&f), blk(&f)->first = UINT64_MAX / 512 + 1), "impossible part") \
	CASE((on_device(&f), blk(&f)->first = 1, blk(&f)->sectors = UINT64_MAX / 512), \
	     "impossible part") \
	CASE(f.links[0].name[0] = 0, "link 0 has an unreadable name") \
	CASE(f.links[0].kind = 0, "link 0 'blk0' has an unknown kind") \
	CASE(f.links[0].flags = 2, "unknown flags") \
	CASE(f.links[0].window_pages = 511, "window that is too small") \
	CASE(f.links[0].window_pages = 16385, "too large") \
	CASE(f.links[0].disk_pages = 0, "impossible disk") \
	CASE(f.links[0].disk_pages = 32769, "impossible disk") \
	CASE(blk(&f)->reserved = 1, "reserved") \
	CASE(net(&f, 1)->reserved0[1] = 1, "reserved") \
	CASE(net(&f, 1)->reserved[11] = 1, "reserved") \
	CASE(f.links[0].kind = 4, "unknown kind") \
	CASE(net(&f, 1)->mac[5] = 0, "link 1 'net1' has a MAC address that is not one station's") \
	CASE(net(&f, 1)->mac[0] = 1, "not one station's") \
	CASE(f.links[1].flags = 1, "what only a block device has") \
	CASE(f.links[1].disk_pages = 1, "what only a block device has") \
	CASE(f.links[1].window_pages = 511, "window that is too small") \
	CASE(net(&f, 2)->mac[5] = 1, "link 2 'net2' has the MAC address of another") \
	CASE(net(&f, 2)->ip4[3] = 1, "the IP address of another") \
	CASE(f.links[1].kind = PV_LINK_RNG, "what only links of other kinds have") \
	CASE((memset(net(&f, 1), 0, 24), f.links[1].kind = PV_LINK_RNG, f.links[1].window_pages = 31), \
	     "too small") \
	CASE(f.links[0].front = 2, "does not exist") \
	CASE(f.links[0].back = ~0u, "does not exist") \
	CASE(f.links[0].front = 1, "same domain at both ends") \
	CASE((f.links[0].front = 1, f.links[0].back = 0), "a Linux domain as back end") \
	CASE(f.domains[0].flags = 32, "unknown flags") \
	CASE((f.domains[1].flags = PV_MDOM_FUSED, f.domains[1].kind = PV_KIND_EXPLICIT), \
	     "has user and kernel fused, and is no Linux domain") \
	CASE(f.domains[0].mem_pages = 0, "amount of memory") \
	CASE(f.domains[0].mem_pages = PV_MAX_GFN + 2, "amount of memory") \
	CASE(f.domains[0].kmem_pages = 0, "amount of kernel memory") \
	CASE(f.domains[1].vcpus = 0, "domain 1 'vm2' has an impossible number of vCPUs") \
	CASE(f.domains[1].vcpus = 17, "number of vCPUs") \
	CASE(f.domains[1].weight = 0, "weight") \
	CASE(f.domains[1].weight = 65536, "weight") \
	CASE(f.domains[1].cap = 1601, "cap") \
	CASE(f.domains[1].on_exit = 3, "on_exit") \
	CASE(f.domains[1].watchdog_s = 3601, "watchdog") \
	CASE(f.domains[1].reserved1 = 1, "reserved") \
	CASE(f.domains[1].kernel_entry = 4, "names a kernel") \
	CASE(f.domains[1].kernel_entry = 3, "names a kernel") \
	CASE(f.domains[1].initrd_entry = 2, "names an initrd") \
	CASE(f.domains[1].initrd_entry = 77, "names an initrd") \
	CASE((f.domains[1].mem_pages = 1, f.entries[2].size = PAGE), "less memory") \
	CASE(f.domains[1].cmdline_len = 5000, "too long") \
	CASE(f.domains[1].cmdline_off = 13, "outside the string area") \
	CASE(f.domains[1].cmdline_off = ~0u, "outside the string area") \
	CASE(f.domains[1].cmdline_len = 13, "outside the string area") \
	CASE(f.domains[1].cmdline_len = 3, "length is wrong") \
	CASE(f.strings[4] = 0, "length is wrong") \
	CASE(f.domains[0].flags = f.domains[1].flags = PV_MDOM_UART, "serial line")

static void every_corruption_is_named(void **state)
{
	struct fixture f;
	const char *said;

	(void)state;
#define CASE(change, message) \
	fixture_make(&f); \
	change; \
	seal(&f); \
	said = refusal(&f); \
	if (!strstr(said, message)) \
		fail_msg("%s: said \"%s\", not \"%s\"", #change, said, message); \
	free(f.bytes);
	CASES
#undef CASE
}

static void every_checksum_is_compared(void **state)
{
	struct fixture *f = *state;

	f->header->crc32 ^= 1;
	assert_string_equal(refusal(f), "the boot image is damaged: entry table checksum");
	seal(f);
	f->bytes[3 * PAGE] ^= 0x10;
	assert_string_equal(refusal(f), "image entry 2 'vmlinux' is damaged: checksum");
}

static void no_truncation_is_accepted(void **state)
{
	struct fixture *f = *state;
	struct mf_error err;

	for (uint64_t size = 0; size < IMAGE_SIZE; size += size < 512 ? 1 : 97) {
		struct fixture cut = { .bytes = aligned_alloc(64, (size + 63) & ~63ull) };

		memcpy(cut.bytes, f->bytes, size);
		assert_false(accept(&cut, size, &err));
		free(cut.bytes);
	}
}

/* A shorter size that still holds the tables is legal only if all entries fit. */
static void flip_each_bit(const struct fixture *f, uint8_t *bytes, size_t n)
{
	for (size_t bit = 0; bit < 8 * n; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		refusal(f);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void no_bit_flip_in_a_table_is_accepted(void **state)
{
	struct fixture *f = *state;
	struct mf_error err;

	flip_each_bit(f, f->bytes, sizeof(struct pv_image_header) + ENTRIES * sizeof(struct pv_image_entry));
	flip_each_bit(f, f->bytes + 2 * PAGE, BLOB_SIZE);
	assert_true(accept(f, IMAGE_SIZE, &err));
}

/* Random damage with correct checksums: the structure checks alone must keep reads inside. */
static void sealed_random_damage_stays_inside(void **state)
{
	struct fixture f;
	struct mf_error err;
	char text[160];
	uint64_t seed = 42;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		fixture_make(&f);
		for (int i = 0; i < 1 + round % 4; i++) {
			size_t at;

			seed = seed * 6364136223846793005u + 1442695040888963407u;
			at = (seed >> 33) % (320 + BLOB_SIZE);
			at = at < 320 ? at : 2 * PAGE + at - 320;
			f.bytes[at] = (uint8_t)(seed >> 25);
		}
		seal(&f);
		if (!accept(&f, IMAGE_SIZE, &err))
			assert_true(strlen(mf_error_text(&err, text, sizeof(text))) > 10);
		free(f.bytes);
	}
}

static void crc_matches_the_standard(void **state)
{
	uint8_t data[64];

	(void)state;
	assert_int_equal(mf_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(mf_crc32(0, "", 0), 0);
	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37);
	for (size_t cut = 0; cut <= sizeof(data); cut++)
		assert_int_equal(mf_crc32(mf_crc32(0, data, cut), data + cut, sizeof(data) - cut),
				 mf_crc32(0, data, sizeof(data)));
}

static void messages_fit_any_buffer(void **state)
{
	struct mf_error err = { MF_SCOPE_DOMAIN, 4294967295u, "has an unknown kind", "vm1" };
	char text[64];

	(void)state;
	for (size_t size = 1; size <= sizeof(text); size++)
		assert_true(strlen(mf_error_text(&err, text, size)) < size);
	assert_string_equal(mf_error_text(&err, text, sizeof(text)),
			    "domain 4294967295 'vm1' has an unknown kind");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_matches_the_standard),
		cmocka_unit_test_setup_teardown(good_image_is_accepted, setup, teardown),
		cmocka_unit_test(every_corruption_is_named),
		cmocka_unit_test_setup_teardown(every_checksum_is_compared, setup, teardown),
		cmocka_unit_test_setup_teardown(no_truncation_is_accepted, setup, teardown),
		cmocka_unit_test_setup_teardown(no_bit_flip_in_a_table_is_accepted, setup, teardown),
		cmocka_unit_test(sealed_random_damage_stays_inside),
		cmocka_unit_test(messages_fit_any_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
