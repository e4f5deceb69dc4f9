// SPDX-License-Identifier: BSD-2-Clause
/*
 * device.c - who has which PCI function, and what it may reach.
 *
 * device_lock guards all of it; it comes before dom->lock and mm.lock. A function is let go before its
 * domain's memory is freed, hence the plain pointer.
 */
#include "device.h"

#include "arch.h"
#include "bits.h"
#include "iommu.h"
#include "irq.h"
#include "log.h"
#include "nospec.h"
#include "pci.h"
#include "port.h"
#include "string.h"

#define STEP_PAGES 16u
#define FAULTS_MAX 64u /* refused accesses until it is cut off */

struct dma_range {
	u32 gfn, n;
};

struct device {
	u32 caps;	    /* capabilities that name it */
	struct domain *dom; /* NULL: nobody's */
	bool trusted;
	u32 nr_ranges;
	struct dma_range ranges[PV_DEV_DMA_RANGES];
	struct iopt iopt;
	u32 faults; /* since it was assigned */
	u64 reset_until_ns; /* nobody's, and being reset; 0: not */
};

static struct spinlock device_lock = SPINLOCK_INIT;
static struct device devices[PCI_MAX];
static u32 faults[PCI_MAX]; /* since boot */

static struct device *device_at(u32 nr)
{
	return &devices[idx_nospec(nr, PCI_MAX)];
}

static const struct pci_fn *fn_of(const struct device *d)
{
	return &pci_fns[d - devices];
}

/* Where there is an IOMMU nothing passes it by, so trust does not help. */
static bool confined(const struct device *d)
{
	return !fn_of(d)->hidden && arch_iommu_covers((u32)(d - devices));
}

static bool dma_allowed(const struct device *d)
{
	return d->dom && d->faults < FAULTS_MAX && (arch_iommu_levels() ? confined(d) : d->trusted);
}

/* ---- what there is ---- */

u32 device_count(void)
{
	return pci_count;
}

void device_info(u32 nr, struct pv_dev_info *out)
{
	const struct device *d = device_at(nr);
	const struct pci_fn *fn = fn_of(d);

	*out = (struct pv_dev_info){
		.bdf = fn->bdf,
		.vendor = fn->vendor,
		.device = fn->device,
		.class_code = fn->class_code,
		.msi_vectors = fn->vectors,
		.irq_line = fn->irq_line,
		.faults = faults[d - devices],
		.flags = (fn->bridge ? PV_DEV_BRIDGE : 0) | (fn->msix ? PV_DEV_MSIX : 0) |
			 (confined(d) ? PV_DEV_REMAPPED : 0),
	};
	memcpy(out->bars, fn->bars, sizeof(out->bars));
	spin_lock(&device_lock);
	if (d->dom) {
		out->domain = d->dom->self.slot;
		out->flags |= PV_DEV_ASSIGNED | (d->trusted ? PV_DEV_TRUSTED : 0);
	}
	spin_unlock(&device_lock);
}

i64 device_claim(u64 bdf)
{
	const struct pci_fn *fn = pci_find(bdf);
	i64 result = -PV_EBUSY;
	u32 nr;

	if (!fn)
		return -PV_ENOENT;
	nr = (u32)(fn - pci_fns);
	spin_lock(&device_lock);
	if (!fn->bridge && !devices[nr].caps) {
		devices[nr].caps = 1;
		result = nr;
	}
	spin_unlock(&device_lock);
	return result;
}

void device_cap_get(u32 nr)
{
	spin_lock(&device_lock);
	device_at(nr)->caps++;
	spin_unlock(&device_lock);
}

void device_cap_put(u32 nr)
{
	spin_lock(&device_lock);
	device_at(nr)->caps--;
	spin_unlock(&device_lock);
}

/* ---- whose it is ---- */

static bool reset_over(struct device *d)
{
	if (!d->reset_until_ns)
		return true;
	if (clock_now_ns() < d->reset_until_ns)
		return false;
	pci_reset_end(fn_of(d));
	d->reset_until_ns = 0;
	return true;
}

/* A domain that is marked dying releases its devices later, and takes this lock for it: either it is seen
 * dying here, or it will find the device. */
int device_assign(u32 nr, struct domain *dom, bool trusted)
{
	struct device *d = device_at(nr);
	int err = 0;

	spin_lock(&device_lock);
	if (domain_is_dying(dom))
		err = -PV_EDEAD;
	else if (d->dom)
		err = -PV_EBUSY;
	else if (!reset_over(d))
		err = -PV_EAGAIN;
	else
		*d = (struct device){ .caps = d->caps, .dom = dom, .trusted = trusted };
	spin_unlock(&device_lock);
	if (!err && trusted && !arch_iommu_levels())
		log_warn("device %x of %s is trusted: its DMA reaches all memory\n", fn_of(d)->bdf, dom->name);
	return err;
}

void device_release_all(struct domain *dom)
{
	spin_lock(&device_lock);
	for (u32 i = 0; i < pci_count; i++) {
		struct device *d = &devices[i];

		if (d->dom != dom)
			continue;
		pci_bus_master_off(fn_of(d));
		if (d->iopt.root) {
			arch_iommu_detach(fn_of(d)->bdf, i);
			iopt_free(dom, &d->iopt);
		}
		*d = (struct device){ .caps = d->caps };
		if (pci_reset_start(fn_of(d)))
			d->reset_until_ns = clock_now_ns() + PCI_RESET_NS;
	}
	spin_unlock(&device_lock);
}

/* ---- configuration, registers, interrupts ---- */

u32 device_cfg_read(u32 nr, u32 off, u32 width)
{
	return pci_read(fn_of(device_at(nr)), off, width);
}

int device_cfg_write(u32 nr, u32 off, u32 width, u32 value, bool owner)
{
	const struct device *d = device_at(nr);
	int err = -PV_ESTATE;

	spin_lock(&device_lock);
	if (d->dom)
		err = pci_write(fn_of(d), off, width, value, dma_allowed(d), owner);
	spin_unlock(&device_lock);
	return err;
}

/* Stays valid until this CPU leaves the kernel; NULL: nobody's. */
static struct domain *device_domain(u32 nr)
{
	struct domain *dom;

	spin_lock(&device_lock);
	dom = device_at(nr)->dom;
	spin_unlock(&device_lock);
	return dom;
}

/* Of pages first..first+n-1 of a BAR, how many from the first on may be mapped; -error if none. */
static i64 mappable(const struct pci_fn *fn, const struct pv_dev_bar *bar, u64 first, u64 n)
{
	u64 pages = (bar->size + PAGE_SIZE - 1) >> PAGE_SHIFT, done = 0;

	if (bar->flags & PV_BAR_IO || first >= pages)
		return -PV_ENOENT;
	n = MIN(n, pages - first);
	while (done < n && pci_frame_ok(fn, (bar->base >> PAGE_SHIFT) + first + done))
		done++;
	return done ? (i64)done : -PV_EFAULT;
}

i64 device_map(u32 nr, u32 bar, u64 page, gfn_t gfn, u64 n)
{
	const struct pci_fn *fn = fn_of(device_at(nr));
	const struct pv_dev_bar *b = &fn->bars[idx_nospec(bar, PV_DEV_BARS)];
	struct domain *dom = device_domain(nr);
	i64 result;

	if (!dom)
		return -PV_ESTATE;
	result = mappable(fn, b, page, MIN(n, STEP_PAGES));
	if (result > 0) /* should dom be dying by now, it is in a map that nobody uses */
		result = mem_map_io(dom, gfn, (b->base >> PAGE_SHIFT) + page, (u64)result);
	return result == -PV_EDEAD ? -PV_ESTATE : result;
}

i64 device_bind_msi(u32 nr, struct domain *dom, u32 index, u64 port)
{
	const struct device *d = device_at(nr);
	i64 err = -PV_ESTATE;

	spin_lock(&device_lock);
	if (d->dom == dom && dma_allowed(d)) /* a message is a write to memory, too */
		err = index < fn_of(d)->vectors ? port_bind_irq(dom, port, irq_msi_key(nr, index)) : -PV_ENOENT;
	spin_unlock(&device_lock);
	return err;
}

/* ---- DMA ---- */

static const struct dma_range *range_of(const struct device *d, gfn_t gfn)
{
	for (u32 i = 0; i < d->nr_ranges; i++)
		if (gfn >= d->ranges[i].gfn && gfn - d->ranges[i].gfn < d->ranges[i].n)
			return &d->ranges[i];
	return NULL;
}

/* The range that gfn goes on, or a new one. NULL: there is no room. */
static struct dma_range *range_for(struct device *d, gfn_t gfn)
{
	for (u32 i = 0; i < d->nr_ranges; i++)
		if (d->ranges[i].gfn + d->ranges[i].n == gfn)
			return &d->ranges[i];
	if (d->nr_ranges == PV_DEV_DMA_RANGES)
		return NULL;
	d->ranges[d->nr_ranges] = (struct dma_range){ (u32)gfn, 0 };
	return &d->ranges[d->nr_ranges];
}

/* Pins the frame, and shows it to the IOMMU if there is one. */
static int dma_add(struct device *d, gfn_t gfn, mfn_t *mfn)
{
	int err = gfn_pin(d->dom, gfn, mfn);

	if (err || !arch_iommu_levels())
		return err;
	err = iopt_map(d->dom, &d->iopt, gfn, *mfn);
	if (err)
		mfn_unpin(*mfn);
	return err;
}

static i64 dma_map_locked(struct device *d, gfn_t gfn, u64 n)
{
	bool first = !d->iopt.root;
	struct dma_range *range;
	mfn_t mfn;
	u64 done;
	int err = 0;

	if (!dma_allowed(d))
		return -PV_ESTATE;
	if (range_of(d, gfn))
		return -PV_EEXIST;
	range = range_for(d, gfn);
	if (!range) {
		err = gfn_pin(d->dom, gfn, &mfn);
		if (!err)
			mfn_unpin(mfn);
		return err ? err : -PV_ENOSPC;
	}
	for (done = 0; done < MIN(n, STEP_PAGES) && !range_of(d, gfn + done); done++) {
		err = dma_add(d, gfn + done, &mfn);
		if (err)
			break;
	}
	if (d->iopt.root && first)
		arch_iommu_attach(fn_of(d)->bdf, (u32)(d - devices), d->iopt.root);
	else if (d->iopt.root)
		arch_iommu_flush((u32)(d - devices));
	if (!done)
		return err;
	range->n += (u32)done;
	d->nr_ranges = MAX(d->nr_ranges, (u32)(range - d->ranges) + 1);
	return (i64)done;
}

i64 device_dma_map(u32 nr, gfn_t gfn, u64 n)
{
	i64 result;

	spin_lock(&device_lock);
	result = dma_map_locked(device_at(nr), gfn, n);
	spin_unlock(&device_lock);
	return result;
}

i64 device_dma_addr(u32 nr, gfn_t gfn)
{
	const struct device *d = device_at(nr);
	i64 result = -PV_ESTATE;

	spin_lock(&device_lock);
	if (dma_allowed(d)) {
		result = -PV_EFAULT;
		if (range_of(d, gfn) && arch_iommu_levels()) {
			result = (i64)(gfn << PAGE_SHIFT);
		} else if (range_of(d, gfn)) {
			spin_lock(&d->dom->mm.lock);
			result = (i64)(gfn_entry_mfn(gfn_get_locked(d->dom, gfn)) << PAGE_SHIFT);
			spin_unlock(&d->dom->mm.lock);
		}
	}
	spin_unlock(&device_lock);
	return result;
}

/* ---- what the IOMMU has refused ---- */

/* Each fault of a function is counted, the 1st, 2nd, 4th... of all that came are told. Who goes on is cut off: it
 * sends nothing any more, neither data nor interrupts, until it is assigned anew. */
void device_fault(u16 bdf, u64 address, u32 reason, bool read)
{
	static u32 total;
	const struct pci_fn *fn = pci_find(bdf);
	bool cut = false;

	spin_lock(&device_lock);
	total++;
	if (fn) {
		struct device *d = &devices[fn - pci_fns];

		faults[fn - pci_fns]++;
		cut = ++d->faults == FAULTS_MAX;
		if (d->faults >= FAULTS_MAX)
			pci_bus_master_off(fn);
	}
	if (is_pow2(total) || cut)
		log_warn("iommu: device %x may not %s %lx (reason %u), fault %u%s\n", bdf, read ? "read" : "write",
			 address, reason, total, cut ? ": cut off" : "");
	spin_unlock(&device_lock);
}
