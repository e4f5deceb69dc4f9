/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the validator over a file: exit status 0 and silence, or 1 and what is wrong. */
#include <stdio.h>
#include <stdlib.h>

#include "manifest.h"

static bool check(const void *bytes, uint64_t size, struct mf_error *err)
{
	struct mf_manifest manifest;
	struct mf_image image;

	if (!mf_image_open(&image, bytes, size, err))
		return false;
	for (uint32_t i = 0; i < image.count; i++)
		if (!mf_image_verify(&image, i, err))
			return false;
	return mf_manifest_open(&manifest, &image, err);
}

int main(int argc, char **argv)
{
	struct mf_error err;
	char text[160];
	FILE *file;
	void *bytes;
	long size;

	if (argc != 2 || !(file = fopen(argv[1], "rb"))) {
		fprintf(stderr, "usage: image_check IMAGE\n");
		return 2;
	}
	if (fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET))
		return 2;
	bytes = malloc((size_t)size + 1);
	if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size)
		return 2;
	fclose(file);
	if (!check(bytes, (uint64_t)size, &err)) {
		fprintf(stderr, "%s: %s\n", argv[1], mf_error_text(&err, text, sizeof(text)));
		free(bytes);
		return 1;
	}
	free(bytes);
	return 0;
}
