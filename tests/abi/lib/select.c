/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * select.c - boot parameters that choose cases. A case runs if every parameter given lets it:
 *
 *   abi=GRT,MAP               area of its first clause
 *   abi.clause=PVABI-GRT-010  a clause it cites, or the start of one; several with commas
 *   abi.match=^map_.*full     its name; . * ^ $ and | as in regular expressions
 *   abi.case=NAME             its name
 *   abi.part=2/3              the second of three equal shares of what the others choose
 */
#include <stdlib.h>
#include <string.h>

#include "select.h"

bool parameter(const char *key, char *out, size_t size)
{
	const char *line = (const char *)start->cmdline_addr;
	size_t key_len = strlen(key);

	while (line && *line) {
		size_t len = strcspn(line, " ");

		if (!strncmp(line, key, key_len) && line[key_len] == '=') {
			size_t n = len - key_len - 1;

			n = n < size ? n : size - 1;
			memcpy(out, line + key_len + 1, n);
			out[n] = '\0';
			return true;
		}
		line += len;
		line += strspn(line, " ");
	}
	return false;
}

/* Is one item of the comma-separated list the first three letters of the area? */
static bool in_areas(const struct abi_case *c, const char *list)
{
	for (const char *p = list; *p; p += *p == ',') {
		size_t len = strcspn(p, ",");

		if (len == 3 && !strncmp(p, c->clause + 6, 3))
			return true;
		p += len;
	}
	return false;
}

/* Does the case cite a clause that begins with one item of the list? */
static bool in_clauses(const struct abi_case *c, const char *list)
{
	for (const char *p = list; *p; p += *p == ',') {
		size_t len = strcspn(p, ",");

		for (const char *cited = c->clause; len && *cited; cited += *cited == ' ') {
			if (!strncmp(cited, p, len))
				return true;
			cited += strcspn(cited, " ");
		}
		p += len;
	}
	return false;
}

/* ---- a small regular expression: characters, '.', '*', '^', '$', alternatives with '|' ---- */

static bool ends(const char *re)
{
	return *re == '\0' || *re == '|';
}

static bool match_here(const char *re, const char *text)
{
	while (!ends(re)) {
		if (*re == '$' && ends(re + 1))
			return *text == '\0';
		if (re[1] == '*') {
			const char *rest = text;

			while (*rest && (*re == '.' || *re == *rest))
				rest++;
			for (;; rest--) {
				if (match_here(re + 2, rest))
					return true;
				if (rest == text)
					return false;
			}
		}
		if (*text == '\0' || (*re != '.' && *re != *text))
			return false;
		re++;
		text++;
	}
	return true;
}

static bool match(const char *re, const char *text)
{
	for (;;) {
		bool anchored = *re == '^';

		for (const char *p = text;; p++) {
			if (match_here(re + anchored, p))
				return true;
			if (anchored || !*p)
				break;
		}
		re += strcspn(re, "|");
		if (!*re)
			return false;
		re++;
	}
}

/* ---- */

static char areas[256], clauses[512], pattern[256], name[64];
static u32 share_of, shares;
static bool by_area, by_clause, by_pattern, by_name;

static void read_parameters(void)
{
	char part[16];

	by_area = parameter("abi", areas, sizeof(areas));
	by_clause = parameter("abi.clause", clauses, sizeof(clauses));
	by_pattern = parameter("abi.match", pattern, sizeof(pattern));
	by_name = parameter("abi.case", name, sizeof(name));
	if (parameter("abi.part", part, sizeof(part))) {
		char *rest;

		share_of = (u32)strtoul(part, &rest, 10);
		shares = *rest == '/' ? (u32)strtoul(rest + 1, NULL, 10) : 0;
	}
}

/* Asked once for each case, in order: that is how the shares are counted out. */
bool selected(const struct abi_case *c)
{
	static bool parsed;
	static u32 counted;

	if (!parsed)
		read_parameters();
	parsed = true;
	if (by_area && !in_areas(c, areas))
		return false;
	if (by_clause && !in_clauses(c, clauses))
		return false;
	if (by_pattern && !match(pattern, c->name))
		return false;
	if (by_name && strcmp(c->name, name))
		return false;
	return !shares || counted++ % shares + 1 == share_of;
}
