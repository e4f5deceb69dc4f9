/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * string.h - memory and string primitives. The bulk ones (memcpy, memset) are the architecture's.
 */
#ifndef RF_STRING_H
#define RF_STRING_H

#include "types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/* Copies at most n-1 bytes and always terminates (n > 0). Returns strlen(dst). */
size_t str_copy(char *dst, const char *src, size_t n);

#endif
