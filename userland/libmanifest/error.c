/* SPDX-License-Identifier: BSD-2-Clause */
/* Turns a validator's finding into one line for people, without printf. */
#include <string.h>

#include "internal.h"

struct text {
	char *buf;
	size_t size, len;
};

static void text_add(struct text *text, const char *part)
{
	while (*part && text->len + 1 < text->size)
		text->buf[text->len++] = *part++;
	text->buf[text->len] = '\0';
}

static void text_add_number(struct text *text, uint32_t value)
{
	char digits[11], *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do {
		*--p = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	text_add(text, p);
}

const char *mf_error_text(const struct mf_error *err, char *buf, size_t size)
{
	static const char *const subject[] = {
		[MF_SCOPE_IMAGE] = "the boot image",
		[MF_SCOPE_ENTRY] = "image entry ",
		[MF_SCOPE_MANIFEST] = "the manifest",
		[MF_SCOPE_DOMAIN] = "domain ",
		[MF_SCOPE_LINK] = "link ",
		[MF_SCOPE_DEVICE] = "device ",
	};
	struct text text = { buf, size, 0 };

	text_add(&text, subject[err->scope]);
	if (err->scope != MF_SCOPE_IMAGE && err->scope != MF_SCOPE_MANIFEST) {
		text_add_number(&text, err->index);
		if (err->name[0]) {
			text_add(&text, " '");
			text_add(&text, err->name);
			text_add(&text, "'");
		}
	}
	text_add(&text, " ");
	text_add(&text, err->what);
	return buf;
}
