// SPDX-License-Identifier: BSD-2-Clause
/*
 * format.c - the printf family's formats, as far as a kernel log needs them: %s %d %u %x %%
 * with l/ll/z, '-', zero padding, width and a precision for %s. Never allocates, never fails;
 * output beyond the buffer is dropped.
 */
#include "log.h"

#include "bits.h"
#include "string.h"

struct out {
	char *buf;
	size_t size;
	size_t len; /* what would have been written */
};

struct spec {
	bool left, zero;
	u32 width;
	size_t precision;
	u32 longs;
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void put_run(struct out *o, const char *text, size_t n)
{
	if (o->len + 1 < o->size)
		memcpy(o->buf + o->len, text, MIN(n, o->size - 1 - o->len));
	o->len += n;
}

/* Eight digits at once, the first one in the lowest byte. */
static u64 hex_digits(u32 v)
{
	u64 x = v;

	x = (x | x << 16) & 0x0000ffff0000ffffull;
	x = (x | x << 8) & 0x00ff00ff00ff00ffull;
	x = (x | x << 4) & 0x0f0f0f0f0f0f0f0full;
	x += 0x3030303030303030ull + ((x + 0x0606060606060606ull) >> 4 & 0x0101010101010101ull) * ('a' - '9' - 1);
	return __builtin_bswap64(x);
}

/* %lx alone: most of what is said of a domain that dies, which has to be done in one go. */
static void put_hex(struct out *o, u64 v)
{
	u64 digits[2] = { hex_digits((u32)(v >> 32)), hex_digits((u32)v) };
	size_t zeros = v ? (size_t)__builtin_clzll(v) / 4 : 15;

	put_run(o, (const char *)digits + zeros, sizeof(digits) - zeros);
}

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t n)
{
	size_t pad;

	if (n >= s->width) {
		put_run(o, text, n);
		return;
	}
	pad = s->width - n;
	if (s->zero && !s->left && n && text[0] == '-') {
		put(o, '-');
		text++;
		n--;
	}
	for (; !s->left && pad; pad--)
		put(o, s->zero ? '0' : ' ');
	put_run(o, text, n);
	for (; pad; pad--)
		put(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, u64 v, u32 base, bool negative)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	if (negative)
		digits[--at] = '-';
	put_padded(o, s, digits + at, sizeof(digits) - at);
}

static const char *parse_spec(const char *f, struct spec *s)
{
	for (;; f++) {
		if (*f == '-')
			s->left = true;
		else if (*f == '0')
			s->zero = true;
		else
			break;
	}
	for (; *f >= '0' && *f <= '9'; f++)
		s->width = s->width * 10 + (u32)(*f - '0');
	if (*f == '.') {
		s->precision = 0;
		for (f++; *f >= '0' && *f <= '9'; f++)
			s->precision = s->precision * 10 + (size_t)(*f - '0');
	}
	return f;
}

size_t str_vformat(char *buf, size_t n, const char *f, va_list args)
{
	struct out o = { .buf = buf, .size = n };
	struct spec s;
	va_list ap;

	va_copy(ap, args);
	for (; *f; f++) {
		const char *text;
		i64 v;

		if (*f != '%') {
			for (text = f; f[1] && f[1] != '%'; f++)
				;
			put_run(&o, text, (size_t)(f - text) + 1);
			continue;
		}
		f++;
		if (f[0] == 'l' && f[1] == 'x') {
			put_hex(&o, va_arg(ap, u64));
			f++;
			continue;
		}
		s = (struct spec){ .precision = SIZE_MAX };
		if (*f < 'a') /* most have no more than their length */
			f = parse_spec(f, &s);
		for (; *f == 'l' || *f == 'z'; f++)
			s.longs++;
		switch (*f) {
		case 's':
			text = va_arg(ap, const char *);
			text = text ? text : "(null)";
			put_padded(&o, &s, text, strnlen(text, s.precision));
			break;
		case 'd':
			v = s.longs ? va_arg(ap, i64) : va_arg(ap, int);
			put_number(&o, &s, v < 0 ? -(u64)v : (u64)v, 10, v < 0);
			break;
		case 'u':
			put_number(&o, &s, s.longs ? va_arg(ap, u64) : va_arg(ap, u32), 10, false);
			break;
		case 'x':
			put_number(&o, &s, s.longs ? va_arg(ap, u64) : va_arg(ap, u32), 16, false);
			break;
		default:
			put(&o, '%');
			if (*f && *f != '%')
				put(&o, *f);
			break;
		}
		if (!*f)
			break;
	}
	va_end(ap);
	if (n)
		buf[o.len < n ? o.len : n - 1] = '\0';
	return o.len < n ? o.len : n ? n - 1 : 0;
}

size_t str_format(char *buf, size_t n, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = str_vformat(buf, n, fmt, ap);
	va_end(ap);
	return len;
}

size_t str_copy(char *dst, const char *src, size_t n)
{
	size_t len = strnlen(src, n - 1);

	memcpy(dst, src, len);
	dst[len] = '\0';
	return len;
}
