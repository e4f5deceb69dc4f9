/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boottest.h - tests of boottest=NAME that have a file of their own.
 */
#ifndef RF_BOOTTEST_H
#define RF_BOOTTEST_H

void boot_test_doors(void);

#endif
