/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sparse.h - what sparse does not know of gcc. Its types of the __atomic builtins are not gcc's; here they
 * are plain accesses that take the kernel's pointers and those to guests' memory alike.
 */
#define SPARSE_OWN(p) (*(__typeof__(*(p)) __attribute__((force, address_space(0))) *)(p))
#define __atomic_load_n(p, order) SPARSE_OWN(p)
#define __atomic_store_n(p, v, order) ((void)(SPARSE_OWN(p) = (v)))
#define __atomic_exchange_n(p, v, order) (SPARSE_OWN(p) = (v))
#define __atomic_fetch_add(p, v, order) (SPARSE_OWN(p) += (v))
#define __atomic_fetch_sub(p, v, order) (SPARSE_OWN(p) -= (v))
#define __atomic_fetch_or(p, v, order) (SPARSE_OWN(p) |= (v))
#define __atomic_fetch_and(p, v, order) (SPARSE_OWN(p) &= (v))
#define __atomic_compare_exchange_n(p, expected, v, weak, success, failure)                        \
	(SPARSE_OWN(p) == *(expected) ? (SPARSE_OWN(p) = (v), 1) : (*(expected) = SPARSE_OWN(p), 0))
#define __atomic_thread_fence(order) ((void)0)
