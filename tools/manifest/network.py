# SPDX-License-Identifier: BSD-2-Clause
"""The keys that are about networks: cards of links, ways out, the firewall's policy, the machine's cards. Domains
are told of them on their command lines."""

import dataclasses
import ipaddress
import re

from .abi import ABI

MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
ADDRESS = re.compile(r"00:([01][0-9a-f])\.0")
LINK_KEYS = {"mac", "ip", "uplink", "gateway", "dns"}
CARD_KEYS = {"address", "mac", "model"}
CARD_MODELS = {"virtio": "virtio", "e1000e": "e1000e"}
DEFAULT_CARD_MAC = "52:54:00:12:34:56"
RULES = 32  # POLICY_RULES of the firewall
PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


@dataclasses.dataclass
class Card:
    """What only a link of kind net has."""

    mac: bytes = bytes(6)
    ip: ipaddress.IPv4Interface | None = None
    dhcp: bool = False  # `ip = "dhcp"`: its front end asks for an address
    uplink: bool = False
    gateway: ipaddress.IPv4Address | None = None
    dns: ipaddress.IPv4Address | None = None


@dataclasses.dataclass
class MachineCard:
    """A network card `run` plugs into the machine."""

    index: int
    address: str
    mac: str
    model: str = "virtio"  # what the machine shows it as

    def path(self, key):
        return f"machine.card[{self.index}].{key}"


def _mac(table, default):
    text = table.get("mac", str, default)
    if not MAC.fullmatch(text) or text == "00:00:00:00:00:00":
        table.bad("mac", f"'{text}' is not a MAC address like \"02:52:46:00:00:01\"")
        return bytes(6)
    mac = bytes.fromhex(text.replace(":", ""))
    if mac[0] & 1:
        table.bad("mac", f"{text} is the address of a group")
    return mac


def _ip(table):
    text = table.get("ip", str)
    if text is None:
        return None
    try:
        ip = ipaddress.IPv4Interface(text) if "/" in text else None
    except ValueError:
        ip = None
    if ip is None:
        table.bad("ip", f"'{text}' is not an address with its network, like \"10.0.0.1/24\"")
    elif ip.is_multicast or ip.is_loopback or ip.is_unspecified or ip.is_reserved:
        table.bad("ip", f"{ip.ip} is not the address of one station")
    elif ip.network.prefixlen < 31 and ip.ip in (ip.network.network_address,
                                                 ip.network.broadcast_address):
        table.bad("ip", f"{ip.ip} stands for the network {ip.network} or for all of it")
    return ip


def _station(table, key):
    text = table.get(key, str)
    if text is None:
        return None
    try:
        return ipaddress.IPv4Address(text)
    except ValueError:
        table.bad(key, f"'{text}' is not an address like \"10.0.2.2\"")
        return None


def link_card(table, index):
    """Card of a link; it gets a locally administered address of the link's own number unless the manifest has
    a better one."""
    dhcp = table.get("ip", str) == "dhcp"
    card = Card(_mac(table, f"02:52:46:00:00:{index + 1:02x}"), None if dhcp else _ip(table), dhcp,
                table.get("uplink", bool, False), _station(table, "gateway"), _station(table, "dns"))
    if dhcp and card.gateway:
        table.bad("gateway", "comes with the address, from DHCP")
    elif card.gateway and (not card.ip or card.gateway not in card.ip.network or card.gateway == card.ip.ip):
        table.bad("gateway", f"{card.gateway} is no neighbour in the network of this link's `ip`")
    if dhcp and card.uplink:
        table.bad("ip", "an uplink is the router of its network and has an address")
    if card.dns and not card.gateway and not dhcp:
        table.bad("dns", "only a link with a gateway has it")
    return card


def check_cards(links, findings):
    """Addresses are unique among the cards of a switch, which has one way out."""
    seen = {}
    for link in links:
        address = link.card.ip and link.card.ip.ip
        for key, value in (("mac", link.card.mac.hex(":")), ("ip", address),
                           ("uplink", True if link.card.uplink else None)):
            if link.kind != "net" or value is None:
                continue
            other = seen.setdefault((link.back, key, value), link)
            if other is not link:
                what = "one already" if key == "uplink" else f"{value} already"
                findings.add(link.path(key), f"link[{other.index}] ({other.name}) has {what}")


# ---- the firewall's policy ----

def _network(text):
    return ipaddress.IPv4Network("0.0.0.0/0" if text == "any" else text)


def _rule(text):
    """A rule as the firewall reads it, or ValueError: ACTION PROTOCOL TARGET [PORT[-PORT]] [from SOURCE]."""
    words = text.split()
    source = "any"
    if len(words) > 2 and words[-2] == "from":
        source = words.pop()
        words.pop()
    if len(words) not in (3, 4) or words[0] not in ("allow", "deny"):
        raise ValueError('is no rule like "allow tcp 10.0.2.2 80-88 from 10.0.0.0/24"')
    action, proto, target = words[:3]
    if proto not in ("any", "tcp", "udp", "icmp"):
        raise ValueError(f"'{proto}' is neither tcp, udp, icmp nor any")
    first, last = 0, 65535
    if len(words) == 4:
        match = PORTS.fullmatch(words[3])
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last > 65535 or proto == "icmp":
            raise ValueError(f"'{words[3]}' is no port, nor a range of ports, of {proto}")
    return f"{action},{proto},{_network(target)},{first}-{last},{_network(source)}"


def policy(table, kind):
    """The rules of a [[domain]] as one word, or None: it is no firewall."""
    rules = table.get("policy", list)
    if rules is None:
        return None
    if kind != "newlib":
        table.bad("policy", "only a newlib domain, the firewall, has it")
    if len(rules) > RULES:
        table.bad("policy", f"{len(rules)} rules, at most {RULES}")
    words = []
    for rule in rules:
        try:
            words.append(_rule(rule if isinstance(rule, str) else ""))
        except ValueError as error:
            table.bad("policy", f"{rule!r}: {error}")
    return ";".join(words)


def check_firewalls(manifest, findings):
    """A firewall stands between two networks: one card with a gateway, and one that is an uplink. Nobody else asks for
    an address."""
    for link in manifest.links:
        if link.card.dhcp and manifest.domains[link.front].policy is None:
            findings.add(link.path("ip"), "only a firewall asks for an address")
    for domain in manifest.domains:
        if domain.policy is None:
            continue
        cards = [link.card for link in manifest.links if link.front == domain.index and link.kind == "net"]
        ways_out = [card for card in cards if card.gateway or card.dhcp]
        inner = [card for card in cards if card.uplink and card.ip and not card.gateway]
        if len(cards) != 2 or len(ways_out) != 1 or len(inner) != 1:
            findings.add(domain.path("policy"), "a firewall has two net links: one with `uplink` and `ip`, "
                                                "one with `ip` and `gateway`")
        elif ways_out[0].ip and ways_out[0].ip.network.overlaps(inner[0].ip.network):
            findings.add(domain.path("policy"), "its two links are one network")


# ---- what domains are told ----

def _fronts(manifest, domain):
    """(number among the links it drives, link) of each card with an address, or which is to have one."""
    fronts = [link for link in manifest.links if link.front == domain.index]
    return [(number, link) for number, link in enumerate(fronts) if link.card.ip or link.card.dhcp]


def _way_out(manifest, own):
    """(next router, name server) for a machine with these cards, each None if there is none."""
    for _, link in own:
        if link.card.gateway:
            return link.card.gateway, link.card.dns
        for other in manifest.links:
            if other.card.uplink and other.back == link.back and other is not link and other.card.ip:
                beyond = [beyond.card for beyond in manifest.links if beyond.front == other.front]
                dns = [card.dns for card in beyond if card.dns]
                if any(card.dhcp for card in beyond):  # the firewall asks whom it was told of
                    dns.append(other.card.ip.ip)
                return other.card.ip.ip, dns[0] if dns else None
    return None, None


def _linux_words(manifest, domain):
    """Its own addresses, by the number of the link among those it drives, the names of its neighbours, its way out
    (images/rootfs/common/etc/ringfence.sh reads it)."""
    own = _fronts(manifest, domain)
    if not own:
        return ""
    switches = {link.back for _, link in own}
    hosts = [f"{manifest.domains[link.front].name}:{link.card.ip.ip}" for link in manifest.links
             if link.card.ip and link.back in switches]
    gateway, dns = _way_out(manifest, own)
    return (" rf.net=" + ",".join(f"{number}:{link.card.ip}" for number, link in own)
            + " rf.hosts=" + ",".join(hosts) + (f" rf.gw={gateway}" if gateway else "")
            + (f" rf.dns={dns}" if dns else ""))


def _newlib_words(manifest, domain):
    """Of a switch: its uplinks. Of a firewall: its addresses, its gateway, its policy."""
    uplinks = [link.name for link in manifest.links if link.card.uplink and link.back == domain.index]
    words = f" uplink={','.join(uplinks)}" if uplinks else ""
    if domain.policy is None:
        return words
    own = _fronts(manifest, domain)
    return (words + " net=" + ",".join(f"{number}:{'dhcp' if link.card.dhcp else link.card.ip}" for number, link in own)
            + "".join(f" gateway={number}:{link.card.gateway}" for number, link in own if link.card.gateway)
            + f" policy={domain.policy}")


def words(manifest, domain):
    """What the manifest tool adds to a command line."""
    return _linux_words(manifest, domain) if domain.kind == "linux" else _newlib_words(manifest, domain)


# ---- the machine ----

def machine_card(table, index):
    address = table.get("address", str, "", required=True)
    if address and not ADDRESS.fullmatch(address):
        table.bad("address", f"'{address}' is not a slot of the first bus (\"00:05.0\")")
    return MachineCard(index, address, _mac(table, DEFAULT_CARD_MAC).hex(":"),
                       table.choice("model", CARD_MODELS, "virtio"))


def link_bytes(card):
    """manifest_link.config."""
    return ABI.pack("manifest_link_net", mac=card.mac, ip4=card.ip.ip.packed if card.ip else b"")
