#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 and IPv6 addresses and their ranges in CIDR notation. A v4-mapped IPv6 address
 * (::ffff:10.0.0.1) is the IPv4 address. */

#include "base/error.h"

typedef struct Address {
        uint8_t bytes[16]; /* IPv4: as v4-mapped */
        bool v4;
} Address;

typedef struct AddressRange {
        Address first;
        unsigned prefix; /* of the 128 bits */
} AddressRange;

/* Reads an address as inet_pton(3) takes it: no leading zeros, no hexadecimal or short IPv4, no
 * white space, no zone. Returns 0 or -EINVAL. */
int address_parse(Address *ret, const char *text);

/* Reads "10.0.0.0/8" or "2001:db8::/32". Returns 0; -ENOENT when the text is no range, nor meant as
 * one; -EINVAL with the reason when it can't be but looks like one; -ENOMEM. */
int address_range_parse(AddressRange *ret, const char *text, char **reterr_msg);

bool address_range_contains(const AddressRange *range, const Address *a);
