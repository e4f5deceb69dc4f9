/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.c - a state machine after ECMA-48: escape sequences, control sequences (CSI) and control
 * strings (OSC, DCS, PM, APC, SOS) vanish whole; CAN, SUB and a newline end any of them, so an
 * unfinished sequence cannot swallow what follows for ever.
 */
#include "filter.h"

#include <string.h>

enum { TEXT, ESCAPE, ESCAPE_MORE, CSI, STRING, STRING_ESCAPE };

#define ESC 0x1b
#define CAN 0x18
#define SUB 0x1a
#define BEL 0x07

static uint8_t utf8_length(uint8_t lead)
{
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 0;
}

/* No overlong forms, surrogates or numbers above U+10FFFF; no U+0080..U+009F. */
static int utf8_good(const uint8_t *s)
{
	switch (s[0]) {
	case 0xc2:
		return s[1] >= 0xa0;
	case 0xe0:
		return s[1] >= 0xa0;
	case 0xed:
		return s[1] <= 0x9f;
	case 0xf0:
		return s[1] >= 0x90;
	case 0xf4:
		return s[1] <= 0x8f;
	default:
		return 1;
	}
}

static size_t text_byte(struct filter *f, uint8_t byte, uint8_t *out)
{
	if (f->want && (byte & 0xc0) == 0x80) {
		size_t n = f->want;

		f->seq[f->have++] = byte;
		if (f->have < f->want)
			return 0;
		f->want = 0;
		if (!utf8_good(f->seq))
			return 0;
		memcpy(out, f->seq, n);
		return n;
	}
	f->want = 0;
	if (byte == ESC) {
		f->state = ESCAPE;
		return 0;
	}
	if (byte >= 0x80) {
		f->want = utf8_length(byte);
		f->seq[0] = byte;
		f->have = 1;
		return 0;
	}
	if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f)
		return 0;
	out[0] = byte;
	return 1;
}

static uint8_t after_escape(uint8_t byte)
{
	switch (byte) {
	case '[':
		return CSI;
	case ']':
	case 'P':
	case 'X':
	case '^':
	case '_':
		return STRING;
	case ESC:
		return ESCAPE;
	default:
		return byte >= 0x20 && byte <= 0x2f ? ESCAPE_MORE : TEXT;
	}
}

size_t filter_byte(struct filter *f, uint8_t byte, uint8_t out[FILTER_OUT_MAX])
{
	if (f->state == TEXT)
		return text_byte(f, byte, out);
	if (byte == '\n' || byte == CAN || byte == SUB) {
		f->state = TEXT;
		return byte == '\n' ? text_byte(f, byte, out) : 0;
	}
	switch (f->state) {
	case ESCAPE:
		f->state = after_escape(byte);
		break;
	case ESCAPE_MORE:
		if (byte >= 0x30)
			f->state = TEXT;
		break;
	case CSI:
		if (byte == ESC)
			f->state = ESCAPE;
		else if (byte >= 0x40)
			f->state = TEXT;
		break;
	case STRING:
		if (byte == BEL)
			f->state = TEXT;
		else if (byte == ESC)
			f->state = STRING_ESCAPE;
		break;
	default: /* after an escape in a string: `\` ends it, else a new sequence began */
		f->state = byte == '\\' ? TEXT : after_escape(byte);
	}
	return 0;
}
