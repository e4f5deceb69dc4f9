// SPDX-License-Identifier: BSD-2-Clause
/*
 * format.c - the printf family's formats, as far as a kernel log needs them: %s %c %d %u %x %p %%
 * with l/ll/z, '-', zero padding, width and a precision for %s. Never allocates, never fails;
 * output beyond the buffer is dropped.
 */
#include "log.h"
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

static void put_padded(struct out *o, const struct spec *s, const char *text, size_t n)
{
	size_t pad = n < s->width ? s->width - n : 0;

	if (s->zero && !s->left && n && text[0] == '-') {
		put(o, '-');
		text++;
		n--;
	}
	for (; !s->left && pad; pad--)
		put(o, s->zero ? '0' : ' ');
	for (size_t i = 0; i < n; i++)
		put(o, text[i]);
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
	*s = (struct spec){ .precision = SIZE_MAX };
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
	for (; *f == 'l' || *f == 'z'; f++)
		s->longs++;
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
			put(&o, *f);
			continue;
		}
		f++;
		f = parse_spec(f, &s);
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
