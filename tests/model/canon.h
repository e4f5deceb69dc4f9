/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * canon.h - telling states of the model apart.
 */
#ifndef MODEL_CANON_H
#define MODEL_CANON_H

#include "model.h"

u64 model_canon(const struct model *m);

#endif
