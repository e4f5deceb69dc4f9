/* SPDX-License-Identifier: BSD-2-Clause */
/* The firewall's command line, and what a policy lets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <options.h>

#include "world.h"

#define ALL "0-65535,0.0.0.0/0"

static bool allows(const char *text, uint8_t proto, uint32_t target, uint16_t port, uint32_t source)
{
	struct packet packet = { .proto = proto, .target = target, .to = port, .source = source };
	struct policy policy;

	assert_null(policy_parse(&policy, text));
	return policy_allows(&policy, &packet);
}

static void first_that_fits(void **state)
{
	static const char *const text =
		"deny,tcp,10.0.2.2/32,22-22,0.0.0.0/0;allow,tcp,10.0.2.0/24,1-1000,10.0.0.0/25;"
		"allow,icmp,0.0.0.0/0,0-0,10.0.0.1/32;deny,any,10.0.0.0/8," ALL
		";allow,udp,0.0.0.0/0,53-53,0.0.0.0/0";

	(void)state;
	assert_false(allows(text, PROTO_TCP, GATEWAY, 22, VM));
	assert_true(allows(text, PROTO_TCP, DNS, 22, VM));
	assert_true(allows(text, PROTO_TCP, GATEWAY, 1, VM));
	assert_true(allows(text, PROTO_TCP, GATEWAY, 1000, VM));
	assert_false(allows(text, PROTO_TCP, GATEWAY, 1001, VM));
	assert_false(allows(text, PROTO_TCP, GATEWAY, 0, VM));
	assert_false(allows(text, PROTO_TCP, GATEWAY, 80, IP4(10, 0, 0, 128)));
	assert_false(allows(text, PROTO_UDP, GATEWAY, 80, VM));
	assert_true(allows(text, PROTO_ICMP, WEB, 99, VM)); /* ports mean nothing to it */
	assert_false(allows(text, PROTO_ICMP, WEB, 0, VM2));
	assert_false(allows(text, PROTO_UDP, DNS, 53, VM));
	assert_true(allows(text, PROTO_UDP, WEB, 53, VM));
	assert_false(allows(text, PROTO_TCP, WEB, 80, VM));
	assert_false(allows("", PROTO_TCP, WEB, 80, VM));
	assert_true(allows("allow,any,0.0.0.0/0," ALL, PROTO_TCP, WEB, 80, VM));
	assert_true(allows("allow,tcp,93.184.216.34/32," ALL, PROTO_TCP, WEB, 80, VM));
	assert_false(allows("allow,tcp,93.184.216.35/32," ALL, PROTO_TCP, WEB, 80, VM));
	assert_true(allows("allow,tcp,93.184.216.35/31," ALL, PROTO_TCP, WEB, 80, VM));
}

static void refused(const char *text, const char *why)
{
	struct policy policy;

	assert_string_equal(policy_parse(&policy, text), why);
}

static void bad_rules(void **state)
{
	char many[POLICY_RULES * 64 + 128] = "";
	struct policy policy;

	(void)state;
	refused("permit,any,0.0.0.0/0," ALL, "a rule that neither allows nor denies");
	refused("allow,sctp,0.0.0.0/0," ALL, "a rule with an unknown protocol");
	refused("allow", "a rule with an unknown protocol");
	refused("allow,any,0.0.0/0," ALL, "a rule with an impossible target");
	refused("allow,any,0.0.0.256/0," ALL, "a rule with an impossible target");
	refused("allow,any,0.0.0.0/33," ALL, "a rule with an impossible target");
	refused("allow,any,0.0.0.0,", "a rule with an impossible target");
	refused("allow,any,0.0.0.0/0,80,0.0.0.0/0", "a rule with impossible ports");
	refused("allow,any,0.0.0.0/0,81-80,0.0.0.0/0", "a rule with impossible ports");
	refused("allow,any,0.0.0.0/0,80-65536,0.0.0.0/0", "a rule with impossible ports");
	refused("allow,any,0.0.0.0/0,80-99999999999,0.0.0.0/0", "a rule with impossible ports");
	refused("allow,any,0.0.0.0/0,0-1,", "a rule with an impossible source");
	refused("allow,any,0.0.0.0/0," ALL "x", "something behind a rule");
	refused("allow,any,0.0.0.0/0," ALL ",", "something behind a rule");
	refused(";", "a rule that neither allows nor denies");
	for (unsigned i = 0; i < POLICY_RULES; i++)
		strcat(many, i ? ";allow,any,0.0.0.0/0," ALL : "allow,any,0.0.0.0/0," ALL);
	assert_null(policy_parse(&policy, many));
	assert_int_equal(policy.count, POLICY_RULES);
	strcat(many, ";allow,any,0.0.0.0/0," ALL);
	refused(many, "too many rules");
}

static void command_line(void **state)
{
	static const char *const bad_net = "its two links need addresses: net=0:10.0.0.254/24,1:10.0.2.15/24";
	static const char *const bad_gateway = "its way out needs a gateway: gateway=1:10.0.2.2";
	struct options o;

	(void)state;
	assert_null(options_parse(&o, "2:10.0.2.15/24,0:10.0.0.254/24", "2:10.0.2.2", NULL));
	assert_int_equal(o.links[OUTSIDE], 2);
	assert_int_equal(o.links[INSIDE], 0);
	assert_int_equal(o.config.nets[OUTSIDE].address, FW_OUT);
	assert_int_equal(o.config.nets[INSIDE].address, FW_IN);
	assert_int_equal(o.config.nets[INSIDE].mask, 0xffffff00);
	assert_int_equal(o.config.gateway, GATEWAY);
	assert_int_equal(o.config.policy.count, 0);
	assert_string_equal(options_parse(&o, NULL, "1:10.0.2.2", ""), bad_net);
	assert_string_equal(options_parse(&o, "0:10.0.0.254/24", "1:10.0.2.2", ""), bad_net);
	assert_string_equal(options_parse(&o, "0:10.0.0.254/24,", "1:10.0.2.2", ""), bad_net);
	assert_string_equal(options_parse(&o, "0:10.0.0.254/24,1:10.0.2.15/24,2:1.1.1.1/8",
					  "1:10.0.2.2", ""), bad_net);
	assert_string_equal(options_parse(&o, "1:10.0.0.254/24,1:10.0.2.15/24", "1:10.0.2.2", ""),
			    "both its addresses are one link's");
	assert_string_equal(options_parse(&o, "0:10.0.0.254/8,1:10.0.2.15/24", "1:10.0.2.2", ""),
			    "its two links are one network");
	assert_string_equal(options_parse(&o, "0:10.0.0.254/24,1:10.0.2.15/24", NULL, ""), bad_gateway);
	assert_string_equal(options_parse(&o, "0:10.0.0.254/24,1:10.0.2.15/24", "1:10.0.2", ""),
			    bad_gateway);
	assert_string_equal(options_parse(&o, "0:10.0.0.254/24,1:10.0.2.15/24", "2:10.0.2.2", ""),
			    "its gateway is another link's");
	assert_string_equal(options_parse(&o, "0:10.0.0.254/24,1:10.0.2.15/24", "1:10.0.3.2", ""),
			    "its gateway is not in the network of its way out");
	assert_string_equal(options_parse(&o, "0:10.0.0.254/24,1:10.0.2.15/24", "1:10.0.2.15", ""),
			    "its gateway is not in the network of its way out");
	assert_string_equal(options_parse(&o, "0:10.0.0.254/24,1:10.0.2.15/24", "1:10.0.2.2", "x"),
			    "a rule that neither allows nor denies");
	assert_null(options_parse(&o, "0:10.0.0.254/24,1:dhcp", NULL, NULL));
	assert_int_equal(o.links[OUTSIDE], 1);
	assert_int_equal(o.links[INSIDE], 0);
	assert_true(o.config.dhcp);
	assert_int_equal(o.config.nets[INSIDE].address, FW_IN);
	assert_int_equal(o.config.nets[OUTSIDE].address | o.config.nets[OUTSIDE].mask | o.config.gateway, 0);
	assert_null(options_parse(&o, "0:dhcp,1:10.0.0.254/24", NULL, NULL));
	assert_int_equal(o.links[OUTSIDE], 0);
	assert_string_equal(options_parse(&o, "0:10.0.0.254/24,1:dhcp", "1:10.0.2.2", ""),
			    "its gateway is to come from DHCP, and is given as well");
	assert_string_equal(options_parse(&o, "0:dhcp,1:dhcp", NULL, ""),
			    "both its addresses are to come from DHCP");
	assert_string_equal(options_parse(&o, "0:10.0.0.254/24,1:dhc", NULL, ""), bad_net);
	assert_string_equal(options_parse(&o, "0:10.0.0.254/24,1:dhcpx", NULL, ""), bad_net);
	assert_string_equal(options_parse(&o, "0:0.0.0.0/24,1:10.0.2.15/24", NULL, ""), bad_net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_that_fits),
		cmocka_unit_test(bad_rules),
		cmocka_unit_test(command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
