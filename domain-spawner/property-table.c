/*
 * The table of properties, exactly the Admin API's: name, type, who has it, default, rule.
 */
#include "domain-spawner/property-table.h"

#define A      (1U << CLASS_APP)
#define T      (1U << CLASS_TEMPLATE)
#define S      (1U << CLASS_STANDALONE)
#define ADMIN  (1U << CLASS_ADMIN)
#define D      (1U << CLASS_DISP)
#define REMOTE (1U << CLASS_REMOTE)
#define LOCAL  (A | T | S | D)
#define ALL    (LOCAL | ADMIN | REMOTE)
#define GLOBAL 0

#define RO  (PROPERTY_READONLY | PROPERTY_NO_COPY)
#define NC  PROPERTY_NO_COPY
#define TPL PROPERTY_TEMPLATE
#define ND  PROPERTY_NO_DEFAULT
#define REQ PROPERTY_REQUIRED

#define ROW(n, t, c, f, fix, glob, der, chk, text)                                                 \
    {                                                                                              \
        .name = (n), .type = (t), .classes = (c), .flags = (f), .fixed = (fix), .global = (glob),  \
        .derive = (der), .check = (chk), .help = (text)                                            \
    }

// clang-format off
const struct property property_table[] = {
    ROW("name", TYPE_STR, ALL, RO, NULL, NULL, derive_name, NULL, "Name of the domain, fixed when it is created."),
    ROW("uuid", TYPE_STR, ALL, RO, NULL, NULL, derive_uuid, NULL, "Number that no other domain ever has, written as a UUID."),
    ROW("qid", TYPE_INT, ALL, RO, NULL, NULL, derive_qid, NULL, "Number of the domain for as long as it exists; its address comes from it."),
    ROW("label", TYPE_LABEL, LOCAL | REMOTE, ND | REQ | NC, NULL, NULL, derive_label, check_label, "Colour that shows how far the domain is trusted."),
    ROW("label", TYPE_LABEL, ADMIN, RO, NULL, NULL, derive_label, NULL, "Colour that shows how far the domain is trusted."),
    ROW("klass", TYPE_STR, ALL, RO, NULL, NULL, derive_klass, NULL, "Class of the domain, such as AppVM."),
    ROW("icon", TYPE_STR, ALL, RO, NULL, NULL, derive_icon, NULL, "Name of the icon, made of class and label."),
    ROW("xid", TYPE_INT, LOCAL, RO, NULL, NULL, derive_xid, NULL, "Number of the running domain, -1 when it does not run."),
    ROW("start_time", TYPE_INT, LOCAL, RO, NULL, NULL, derive_start_time, NULL, "When the domain was started, in seconds since 1970."),
    ROW("updateable", TYPE_BOOL, LOCAL | ADMIN, RO, NULL, NULL, derive_updateable, NULL, "Whether software can be installed in it to stay: true where there is no template."),
    ROW("template", TYPE_VM, A | D, ND | REQ | NC, NULL, NULL, NULL, check_template, "Domain whose system this one has."),
    ROW("template_for_dispvms", TYPE_BOOL, A | S, 0, "False", NULL, NULL, check_template_for_dispvms, "Whether disposables can be made from this domain."),
    ROW("default_dispvm", TYPE_VM, LOCAL | ADMIN, 0, NULL, NULL, derive_default_dispvm, check_dispvm, "Template for the disposables that this domain asks for with @dispvm; none: it gets none."),
    ROW("management_dispvm", TYPE_VM, LOCAL, TPL, NULL, "management_dispvm", NULL, check_dispvm, "Template for the disposable that configures this domain."),
    ROW("guivm", TYPE_VM, LOCAL, 0, NULL, "default_guivm", NULL, NULL, "Domain that shows this one's windows."),
    ROW("audiovm", TYPE_VM, LOCAL, 0, NULL, "default_audiovm", NULL, NULL, "Domain that plays this one's sound."),
    ROW("netvm", TYPE_VM, LOCAL, 0, NULL, NULL, derive_netvm, check_netvm, "Domain through which this one reaches the network; none: no network."),
    ROW("provides_network", TYPE_BOOL, LOCAL, 0, "False", NULL, NULL, check_provides_network, "Whether other domains may use this one as their netvm."),
    ROW("ip", TYPE_STR, LOCAL, NC, NULL, NULL, derive_ip, check_ip, "IPv4 address."),
    ROW("ip6", TYPE_STR, LOCAL, NC, NULL, NULL, NULL, check_ip6, "IPv6 address."),
    ROW("mac", TYPE_STR, LOCAL, NC, NULL, NULL, derive_mac, check_mac, "Address of the network card."),
    ROW("visible_ip", TYPE_STR, LOCAL, RO, NULL, NULL, derive_visible_ip, NULL, "IPv4 address as the domain itself sees it."),
    ROW("visible_gateway", TYPE_STR, LOCAL, RO, NULL, NULL, derive_gateway, NULL, "Gateway as the domain itself sees it."),
    ROW("visible_netmask", TYPE_STR, LOCAL, RO, "255.255.255.255", NULL, NULL, NULL, "Network mask as the domain itself sees it."),
    ROW("gateway", TYPE_STR, LOCAL, RO, NULL, NULL, derive_gateway, NULL, "Address of the netvm."),
    ROW("dns", TYPE_STR, LOCAL, RO, NULL, NULL, derive_dns, NULL, "Addresses of the name servers."),
    ROW("memory", TYPE_INT, LOCAL, TPL | REQ, "400", NULL, NULL, check_positive, "Memory at start, in MiB."),
    ROW("maxmem", TYPE_INT, LOCAL, 0, NULL, NULL, derive_maxmem, NULL, "Most memory that balancing may give, in MiB; 0: no balancing."),
    ROW("vcpus", TYPE_INT, LOCAL, TPL | REQ, "2", NULL, NULL, check_positive, "Number of virtual processors."),
    ROW("virt_mode", TYPE_STR, LOCAL, TPL, "pvh", NULL, NULL, check_virt_mode, "How it is run: pvh, hvm or pv."),
    ROW("kernel", TYPE_STR, LOCAL, TPL, NULL, "default_kernel", NULL, NULL, "Kernel that is given from dom0; empty: the domain's own."),
    ROW("kernelopts", TYPE_STR, LOCAL, TPL, "", NULL, NULL, NULL, "Kernel command line."),
    ROW("ramdisk", TYPE_STR, LOCAL, TPL, "", NULL, NULL, NULL, "File of the initial memory disk; empty: the one beside the kernel."),
    ROW("root_image", TYPE_STR, LOCAL, TPL | NC, "", NULL, NULL, NULL, "File or block device of the root volume; empty: the backend's own."),
    ROW("private_image", TYPE_STR, LOCAL, NC, "", NULL, NULL, NULL, "File or block device of the private volume; empty: the backend's own."),
    ROW("bootmode", TYPE_STR, LOCAL, 0, "default", NULL, NULL, NULL, "Boot mode."),
    ROW("stubdom_mem", TYPE_INT, LOCAL, 0, NULL, NULL, NULL, NULL, "Memory of the device model, in MiB; none: the usual."),
    ROW("debug", TYPE_BOOL, LOCAL, 0, "False", NULL, NULL, NULL, "Whether it is started with more messages."),
    ROW("default_user", TYPE_STR, LOCAL, TPL | REQ, "user", NULL, NULL, check_user, "User as whom programs are started in it."),
    ROW("qrexec_timeout", TYPE_INT, LOCAL, TPL | REQ, NULL, "default_qrexec_timeout", NULL, check_positive, "Seconds that its agent may take to answer after the start."),
    ROW("shutdown_timeout", TYPE_INT, LOCAL, TPL | REQ, NULL, "default_shutdown_timeout", NULL, check_positive, "Seconds that a shutdown may take."),
    ROW("autostart", TYPE_BOOL, LOCAL, 0, "False", NULL, NULL, NULL, "Whether it is started with the system."),
    ROW("include_in_backups", TYPE_BOOL, LOCAL | ADMIN, 0, "True", NULL, NULL, NULL, "Whether backups hold it unless told otherwise."),
    ROW("installed_by_rpm", TYPE_BOOL, LOCAL, 0, "False", NULL, NULL, NULL, "Whether a package manages it."),
    ROW("backup_timestamp", TYPE_INT, LOCAL, 0, NULL, NULL, NULL, NULL, "When it was backed up last, in seconds since 1970."),
    ROW("keyboard_layout", TYPE_STR, LOCAL | ADMIN, 0, "us++", NULL, NULL, NULL, "Keyboard: layout+variant+options."),
    ROW("devices_denied", TYPE_STR, LOCAL | ADMIN, 0, "", NULL, NULL, NULL, "Device interfaces that it may not have."),
    ROW("maxmem", TYPE_INT, ADMIN, RO, NULL, NULL, derive_host_memory, NULL, "Memory of the host, in MiB."),
    ROW("dispid", TYPE_INT, D, RO, NULL, NULL, NULL, NULL, "Number in the disposable's name; its address comes from it."),
    ROW("auto_cleanup", TYPE_BOOL, D, 0, "False", NULL, NULL, NULL, "Whether it is removed once it is down."),
    ROW("is_preload", TYPE_BOOL, D, RO, NULL, NULL, derive_is_preload, NULL, "Whether it is a preloaded one that nobody has used."),
    ROW("relayvm", TYPE_VM, REMOTE, 0, NULL, NULL, NULL, NULL, "Domain that carries calls to this one."),
    ROW("transport_rpc", TYPE_STR, REMOTE, 0, "", NULL, NULL, NULL, "Service in the relay domain that carries calls."),
    ROW("remote_name", TYPE_STR, REMOTE, 0, "", NULL, NULL, NULL, "Name that the other side knows it by."),

    ROW("default_dispvm", TYPE_VM, GLOBAL, 0, NULL, NULL, NULL, check_dispvm, "Template for disposables of domains that have not their own."),
    ROW("default_template", TYPE_VM, GLOBAL, 0, NULL, NULL, NULL, check_default_template, "Template of new domains."),
    ROW("default_netvm", TYPE_VM, GLOBAL, 0, NULL, NULL, NULL, check_default_netvm, "Netvm of domains that have not their own."),
    ROW("clockvm", TYPE_VM, GLOBAL, 0, NULL, NULL, NULL, NULL, "Domain that tells the time."),
    ROW("updatevm", TYPE_VM, GLOBAL, 0, NULL, NULL, NULL, NULL, "Domain that fetches updates for dom0."),
    ROW("management_dispvm", TYPE_VM, GLOBAL, 0, NULL, NULL, NULL, check_dispvm, "Template for the disposables that configure domains."),
    ROW("default_guivm", TYPE_VM, GLOBAL, 0, "dom0", NULL, NULL, NULL, "Domain that shows windows."),
    ROW("default_audiovm", TYPE_VM, GLOBAL, 0, "dom0", NULL, NULL, NULL, "Domain that plays sound."),
    ROW("default_kernel", TYPE_STR, GLOBAL, 0, "", NULL, NULL, NULL, "Kernel of domains that have not their own."),
    ROW("default_pool", TYPE_STR, GLOBAL, 0, "local", NULL, NULL, NULL, "Pool of new volumes."),
    ROW("default_pool_root", TYPE_STR, GLOBAL, 0, "local", NULL, NULL, NULL, "Pool of new root volumes."),
    ROW("default_pool_private", TYPE_STR, GLOBAL, 0, "local", NULL, NULL, NULL, "Pool of new private volumes."),
    ROW("default_pool_volatile", TYPE_STR, GLOBAL, 0, "local", NULL, NULL, NULL, "Pool of new volatile volumes."),
    ROW("default_pool_kernel", TYPE_STR, GLOBAL, 0, "local", NULL, NULL, NULL, "Pool of kernels."),
    ROW("default_qrexec_timeout", TYPE_INT, GLOBAL, REQ, "60", NULL, NULL, check_positive, "Seconds that an agent may take to answer after the start."),
    ROW("default_shutdown_timeout", TYPE_INT, GLOBAL, REQ, "60", NULL, NULL, check_positive, "Seconds that a shutdown may take."),
    ROW("stats_interval", TYPE_INT, GLOBAL, REQ, "3", NULL, NULL, check_positive, "Seconds between two figures of admin.vm.Stats."),
    ROW("check_updates_vm", TYPE_BOOL, GLOBAL, 0, "True", NULL, NULL, NULL, "Whether domains look for updates."),
    ROW("maxmem", TYPE_INT, GLOBAL, RO, NULL, NULL, derive_host_memory, NULL, "Memory of the host, in MiB."),
    ROW("no_cpus", TYPE_INT, GLOBAL, RO, NULL, NULL, derive_host_cpus, NULL, "Processors of the host."),
};
// clang-format on

const size_t property_table_len = ARRAY_SIZE(property_table);
