#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The D-Bus names; the interfaces are described by the XML files beside this one. */

#define BUS_NAME "org.factord.Factord1"
#define BUS_ROOT "/org/factord/Factord1"
#define BUS_FACTORS BUS_ROOT "/factor"       /* …/NAME, by sd_bus_path_encode() */
#define BUS_CHALLENGES BUS_ROOT "/challenge" /* …/SID */
#define BUS_INTERFACE_MANAGER BUS_NAME ".Manager"
#define BUS_INTERFACE_FACTOR BUS_NAME ".Factor"
#define BUS_INTERFACE_CHALLENGE BUS_NAME ".Challenge"
#define BUS_ERROR BUS_NAME ".Error" /* .NoSuchFactor …: named as behind the socket */

#define BUS_DRIVER "org.freedesktop.DBus"
#define BUS_DRIVER_PATH "/org/freedesktop/DBus"
