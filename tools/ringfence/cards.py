# SPDX-License-Identifier: BSD-2-Clause
"""Network cards `run` plugs into the machine ([[machine.card]]): at the other end is QEMU's user network, a router
at 10.0.2.2 that is this machine for whoever is behind it, and a name server at 10.0.2.3."""


def qemu_arguments(card, iommu=False):
    """QEMU's words for the card of this manifest entry. A virtio card behind an IOMMU has to go through it."""
    name = f"card{card.index}"
    slot = card.address.split(":")[1]
    device = f"netdev={name},addr={slot},mac={card.mac}"
    if card.model == "e1000e":
        device = f"e1000e,{device},romfile="
    else:
        device = f"virtio-net-pci,{device},disable-legacy=on,romfile=" + (",iommu_platform=on" if iommu else "")
    return ["-netdev", f"user,id={name}", "-device", device]
