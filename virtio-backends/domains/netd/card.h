/* SPDX-License-Identifier: BSD-2-Clause */
/* card.h - the network card of this domain as the switch's way out of the machine. */
#ifndef NETD_CARD_H
#define NETD_CARD_H

#include <net/net.h>

/* The domain's first function as a card for `sw`. NULL: it cannot be used, and the log says why. */
const struct net_card *card_open(struct net_switch *sw);

#endif
