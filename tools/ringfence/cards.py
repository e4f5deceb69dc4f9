# SPDX-License-Identifier: BSD-2-Clause
"""Network cards `run` plugs into the machine ([[machine.card]]): at the other end is QEMU's user network, a router
at 10.0.2.2 that is this machine for whoever is behind it, and a name server at 10.0.2.3."""


def qemu_arguments(card, iommu=False):
    """QEMU's words for a virtio card of this manifest entry; one behind an IOMMU has to go through it."""
    name = f"card{card.index}"
    slot = card.address.split(":")[1]
    device = f"virtio-net-pci,netdev={name},addr={slot},mac={card.mac},disable-legacy=on,romfile="
    return ["-netdev", f"user,id={name}", "-device", device + (",iommu_platform=on" if iommu else "")]
