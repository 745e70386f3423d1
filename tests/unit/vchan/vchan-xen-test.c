/*
 * The Xen transport without Xen: a xenstored of the stage's, and libxenvchan played here. What it
 * is asked, and what its answers mean; that it works on Xen is for tests/xen.
 */
#include "tests/unit/test.h"

#include "libqrexec/vchan/vchan.h"
#include "tests/stage/xenstored.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <xenctrl.h>

#include <libxenvchan.h>
#include <xentoollog.h>

#define PAGE 4096

static char *dir;
static struct stage_xenstore *store;

/* ---- libxenvchan ---- */

/* What the played library does next. */
static struct {
    int fail_grants; /* that many servers fail for want of grants */
    bool fail;       /* servers fail for another reason */
    bool fail_client;
    size_t asked; /* bytes of the last server's ring */
    int open;     /* of libxenvchan_is_open() */
    int data;     /* of read and data_ready */
    int room;     /* of write */
    bool wait_fails;
    unsigned closed, rang;
    struct ring_shared shared[2];
    int event;
} lib;

int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode)
{
    return strncmp(path, "/dev/xen/", 9) == 0 ? 0 : __real_access(path, mode);
}

static __attribute__((format(printf, 3, 4))) void complain(struct xentoollog_logger *l, int error,
                                                           const char *text, ...)
{
    va_list ap;

    va_start(ap, text);
    l->vmessage(l, XTL_ERROR, error, "gntshr", text, ap);
    va_end(ap);
}

static struct libxenvchan *new_ctrl(size_t size)
{
    struct libxenvchan *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    lib.asked = size;
    lib.event = eventfd(0, EFD_CLOEXEC);
    c->ring = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    c->xs_path = strdup("/place");
    c->read = (struct libxenvchan_ring){&lib.shared[0], c->ring, 12};
    c->write = (struct libxenvchan_ring){&lib.shared[1], c->ring, 10};
    return c;
}

struct libxenvchan *libxenvchan_server_init(struct xentoollog_logger *logger, int domain,
                                            const char *xs_path, size_t left, size_t right)
{
    (void)domain;
    (void)xs_path;
    (void)right;
    if (lib.fail_grants > 0) {
        lib.fail_grants--;
        complain(logger, ENOMEM, "no %s", "grants");
        return NULL;
    }
    return lib.fail ? NULL : new_ctrl(left);
}

struct libxenvchan *libxenvchan_client_init(struct xentoollog_logger *logger, int domain,
                                            const char *xs_path)
{
    (void)logger;
    (void)domain;
    (void)xs_path;
    return lib.fail_client ? NULL : new_ctrl(0);
}

void libxenvchan_close(struct libxenvchan *c)
{
    lib.closed++;
    close(lib.event);
    munmap(c->ring, PAGE);
    free(c->xs_path);
    free(c);
}

int libxenvchan_fd_for_select(struct libxenvchan *c)
{
    (void)c;
    return lib.event;
}

int libxenvchan_is_open(struct libxenvchan *c)
{
    (void)c;
    return lib.open;
}

int libxenvchan_wait(struct libxenvchan *c)
{
    uint64_t n;

    (void)c;
    if (lib.wait_fails) {
        errno = EBADF;
        return -1;
    }
    return read(lib.event, &n, sizeof(n)) < 0 ? -1 : 0;
}

int libxenvchan_data_ready(struct libxenvchan *c)
{
    (void)c;
    return lib.data;
}

int libxenvchan_read(struct libxenvchan *c, void *data, size_t n)
{
    int got = lib.data < (int)n ? lib.data : (int)n;

    (void)c;
    if (got > 0)
        memset(data, 'x', (size_t)got);
    if (got > 0)
        lib.data -= got;
    return got;
}

int libxenvchan_write(struct libxenvchan *c, const void *data, size_t n)
{
    (void)c;
    (void)data;
    return lib.room < (int)n ? lib.room : (int)n;
}

int xenevtchn_notify(xenevtchn_handle *h, evtchn_port_t port)
{
    (void)h;
    (void)port;
    lib.rang++;
    return 0;
}

static void ring(void)
{
    const uint64_t one = 1;

    assert_int_equal(write(lib.event, &one, sizeof(one)), sizeof(one));
}

/* ---- Tests ---- */

static int set_up(void **state)
{
    char path[128];

    (void)state;
    memset(&lib, 0, sizeof(lib));
    lib.open = 2; /* waiting */
    dir = test_mkdir();
    (void)format(path, sizeof(path), "%s/xenstored", dir);
    store = stage_xenstored_start(path);
    setenv("QREXEC_TRANSPORT", "xen", 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stage_xenstored_end();
    test_rmdir(dir);
    return 0;
}

static struct vchan *server(uint32_t own, uint32_t peer, size_t size)
{
    struct vchan *v = NULL;

    store->own = own;
    assert_int_equal(vchan_listen(peer, 513, size, &v), 0);
    assert_int_equal(vchan_state(v), VCHAN_WAITING);
    return v;
}

static void peer_attaches(struct vchan *v)
{
    lib.open = 1;
    ring();
    assert_int_equal(vchan_dispatch(v), 0);
    assert_int_equal(vchan_state(v), VCHAN_CONNECTED);
}

/* As xenstored counts them when all that was asked and closed before has come to it. */
static unsigned watches(void)
{
    stage_xenstored_fire("/nothing");
    return store->watches;
}

static void the_own_number_comes_from_xenstore(void **state)
{
    uint32_t own = 0;

    (void)state;
    store->own = 7;
    assert_int_equal(vchan_own_domain(&own), 0);
    assert_int_equal(own, 7);
    store->own = 0x7ff0; /* no domain has that */
    assert_int_equal(vchan_own_domain(&own), -EINVAL);
}

static void a_server_waits_connects_and_ends_with_its_peer(void **state)
{
    struct vchan *v = server(5, 0, 65536);
    char data[8];

    (void)state;
    assert_int_equal(lib.asked, 65536);
    assert_int_equal(vchan_events(v, false, false), POLLIN);
    assert_int_equal(vchan_dispatch(v), 0); /* no event */
    assert_int_equal(vchan_state(v), VCHAN_WAITING);
    assert_int_equal(vchan_read(v, data, 8), 0);
    assert_int_equal(vchan_write(v, data, 8), 0);
    peer_attaches(v);
    assert_int_equal(store->removed, 1); /* its place in xenstore */
    assert_int_equal(vchan_timeout(v), -1);
    lib.data = 3;
    lib.room = 5;
    assert_int_equal(vchan_read(v, data, 0), 0);
    assert_int_equal(vchan_read(v, data, 8), 3);
    assert_int_equal(vchan_read(v, data, 8), 0);
    assert_int_equal(vchan_write(v, data, 0), 0);
    assert_int_equal(vchan_write(v, data, 8), 5);
    lib.open = 0;
    lib.data = -1;
    ring();
    assert_int_equal(vchan_dispatch(v), 0);
    assert_int_equal(vchan_state(v), VCHAN_CLOSED);
    assert_int_equal(vchan_read(v, data, 8), -EPIPE);
    assert_int_equal(vchan_write(v, data, 8), -EPIPE);
    assert_int_equal(vchan_dispatch(v), 0);
    vchan_free(v);
    assert_int_equal(lib.closed, 1);
}

static void a_server_serves_one_peer_after_the_other(void **state)
{
    struct vchan *v = server(5, 0, 4096);

    (void)state;
    peer_attaches(v);
    lib.open = 2;
    assert_int_equal(vchan_reset(v), 0);
    assert_int_equal(vchan_state(v), VCHAN_WAITING);
    assert_int_equal(lib.closed, 1);
    peer_attaches(v);
    vchan_free(v);
}

static void a_client_waits_for_the_servers_rings(void **state)
{
    struct vchan *v = NULL;

    (void)state;
    store->own = 5;
    assert_int_equal(vchan_connect(6, 513, &v), 0);
    assert_int_equal(vchan_state(v), VCHAN_WAITING);
    assert_int_equal(vchan_dispatch(v), 0); /* the watch fires when it is set */
    assert_int_equal(vchan_state(v), VCHAN_WAITING);
    store->has_channel = true;
    lib.fail_client = true; /* left by a server that died */
    stage_xenstored_fire("/event-channel");
    assert_int_equal(poll(&(struct pollfd){.fd = vchan_fd(v), .events = POLLIN}, 1, 1000), 1);
    assert_int_equal(vchan_dispatch(v), 0);
    assert_int_equal(vchan_state(v), VCHAN_WAITING);
    lib.fail_client = false;
    stage_xenstored_fire("/event-channel");
    assert_int_equal(vchan_dispatch(v), 0);
    assert_int_equal(vchan_state(v), VCHAN_CONNECTED);
    assert_int_equal(lib.rang, 1); /* only that tells the server */
    assert_int_equal(vchan_reset(v), -EOPNOTSUPP);
    vchan_lose(v);
    assert_true(vchan_is_gone(v));
    vchan_free(v);
}

static void what_cannot_be_is_refused(void **state)
{
    struct vchan *v = NULL;

    (void)state;
    store->own = 5;
    assert_int_equal(vchan_connect(5, 513, &v), -EINVAL);
    assert_int_equal(vchan_listen(0x7ff1, 513, 4096, &v), -EINVAL);
    store->own = 0;
    store->dead[9] = true;
    assert_int_equal(vchan_connect(9, 513, &v), -EHOSTDOWN);
    assert_null(v);
}

static void dom0_notices_that_a_domain_ends_before_it_connects(void **state)
{
    struct vchan *v = server(0, 3, 4096);

    (void)state;
    assert_int_equal(vchan_dispatch(v), 0); /* the watch fires when it is set */
    store->dead[3] = true;
    stage_xenstored_fire("@releaseDomain");
    assert_int_equal(poll(&(struct pollfd){.fd = vchan_fd(v), .events = POLLIN}, 1, 1000), 1);
    assert_int_equal(vchan_dispatch(v), -EHOSTDOWN);
    assert_int_equal(vchan_state(v), VCHAN_CLOSED);
    assert_true(vchan_is_gone(v));
    vchan_free(v);
}

static void dom0_notices_that_a_connected_domain_ends(void **state)
{
    struct vchan *v = server(0, 3, 4096);
    char data[4];

    (void)state;
    peer_attaches(v);
    store->dead[4] = true; /* another one */
    stage_xenstored_fire("@releaseDomain");
    assert_int_equal(vchan_dispatch(v), 0);
    assert_int_equal(vchan_state(v), VCHAN_CONNECTED);
    store->dead[3] = true;
    stage_xenstored_fire("@releaseDomain");
    assert_int_equal(vchan_dispatch(v), 0);
    assert_int_equal(vchan_state(v), VCHAN_CLOSED);
    lib.data = 2; /* what it sent before */
    assert_int_equal(vchan_read(v, data, 4), 2);
    assert_int_equal(vchan_read(v, data, 4), -EPIPE);
    vchan_free(v);
}

static void smaller_rings_are_taken_where_grants_run_out(void **state)
{
    struct vchan *v = NULL;

    (void)state;
    lib.fail_grants = 1;
    vchan_free(server(5, 0, 65536));
    assert_int_equal(lib.asked, 16384);
    lib.fail_grants = 3;
    vchan_free(server(5, 0, 65536));
    assert_int_equal(lib.asked, 1024);
    lib.fail_grants = 4;
    assert_int_equal(vchan_listen(0, 513, 65536, &v), -ENOSPC);
    assert_null(v);
}

static void a_server_without_a_transaction_tries_again(void **state)
{
    struct vchan *v;

    (void)state;
    lib.fail = true;
    v = server(5, 0, 4096);
    assert_true(vchan_timeout(v) >= 0);
    for (int i = 0; i < 4; i++) {
        (void)poll(NULL, 0, vchan_timeout(v));
        assert_int_equal(vchan_dispatch(v), 0);
        assert_int_equal(vchan_state(v), VCHAN_WAITING);
    }
    lib.fail = false;
    (void)poll(NULL, 0, vchan_timeout(v) + 1);
    assert_int_equal(vchan_dispatch(v), 0);
    assert_int_equal(vchan_timeout(v), -1);
    peer_attaches(v);
    vchan_free(v);
}

static void counters_that_cannot_be_end_the_connection(void **state)
{
    struct vchan *v = server(5, 0, 4096);
    char data[4];

    (void)state;
    peer_attaches(v);
    assert_int_equal(vchan_read(v, data, 4), 0);
    lib.shared[0].prod = 5000; /* more than the ring holds */
    assert_int_equal(vchan_read(v, data, 4), -EPIPE);
    vchan_free(v);
    lib.open = 2;
    v = server(5, 0, 4096);
    peer_attaches(v);
    assert_int_equal(vchan_write(v, data, 4), 0);
    lib.shared[1].cons = 1;
    assert_int_equal(vchan_write(v, data, 4), -EPIPE);
    vchan_free(v);
}

static void an_event_channel_that_fails_ends_the_connection(void **state)
{
    struct vchan *v = server(5, 0, 4096);

    (void)state;
    lib.wait_fails = true;
    assert_int_equal(vchan_dispatch(v), -EBADF);
    assert_int_equal(vchan_state(v), VCHAN_CLOSED);
    vchan_free(v);
}

static uint32_t died[8];
static size_t n_died;

static void on_death(void *user, uint32_t domain)
{
    (void)user;
    died[n_died++] = domain;
}

static void each_death_is_told_once(void **state)
{
    struct vchan_deaths *d = NULL;

    (void)state;
    n_died = 0;
    assert_int_equal(vchan_deaths_new(&d), 0);
    for (uint32_t domain = 1; domain < 6; domain++)
        assert_int_equal(vchan_deaths_follow(d, domain), 0);
    assert_int_equal(vchan_deaths_follow(d, 1), 0); /* already */
    assert_int_equal(vchan_deaths_dispatch(d, on_death, NULL), 0);
    assert_int_equal(n_died, 0);
    store->dead[2] = store->dead[5] = true;
    stage_xenstored_fire("@releaseDomain");
    assert_int_equal(poll(&(struct pollfd){.fd = vchan_deaths_fd(d), .events = POLLIN}, 1, 1000),
                     1);
    assert_int_equal(vchan_deaths_dispatch(d, on_death, NULL), 0);
    assert_int_equal(n_died, 2);
    assert_int_equal(died[0] + died[1], 7);
    stage_xenstored_fire("@releaseDomain");
    assert_int_equal(vchan_deaths_dispatch(d, on_death, NULL), 0);
    assert_int_equal(n_died, 2);
    assert_int_equal(vchan_deaths_follow(d, 2), -EHOSTDOWN);
    vchan_deaths_free(d);
}

static void many_domains_can_be_followed(void **state)
{
    struct vchan_deaths *d = NULL;

    (void)state;
    n_died = 0;
    assert_int_equal(vchan_deaths_new(&d), 0);
    for (uint32_t domain = 0; domain < STAGE_DOMAINS; domain++)
        assert_int_equal(vchan_deaths_follow(d, domain), 0);
    assert_int_equal(vchan_deaths_follow(d, STAGE_DOMAINS), -EHOSTDOWN);
    assert_int_equal(watches(), 1);
    store->dead[15] = true;
    stage_xenstored_fire("@releaseDomain");
    assert_int_equal(vchan_deaths_dispatch(d, on_death, NULL), 0);
    assert_int_equal(n_died, 1);
    assert_int_equal(died[0], 15);
    vchan_deaths_free(d);
}

static void what_servers_left_for_a_domain_is_removed(void **state)
{
    (void)state;
    vchan_forget(7);
    assert_int_equal(store->removed, 1);
    assert_string_equal(store->removed_last, "data/vchan/7");
}

static void what_a_killed_server_left_is_removed(void **state)
{
    (void)state;
    vchan_forget_port(7, 513, 42);
    assert_int_equal(store->removed, 1);
    assert_string_equal(store->removed_last, "data/vchan/7/513");
}

/* All that run in a VM have 128 together. */
static void in_a_vm_a_wait_has_one_watch_and_a_connection_none(void **state)
{
    struct vchan *v = server(5, 0, 4096), *client = NULL;

    (void)state;
    assert_int_equal(watches(), 0);
    peer_attaches(v);
    assert_int_equal(watches(), 0);
    assert_int_equal(vchan_connect(6, 513, &client), 0);
    assert_int_equal(watches(), 1);
    assert_int_equal(vchan_dispatch(client), 0); /* it waits on with that one */
    assert_int_equal(vchan_state(client), VCHAN_WAITING);
    assert_int_equal(watches(), 1);
    store->has_channel = true;
    stage_xenstored_fire("/event-channel");
    assert_int_equal(vchan_dispatch(client), 0);
    assert_int_equal(vchan_state(client), VCHAN_CONNECTED);
    assert_int_equal(watches(), 0);
    vchan_free(client);
    lib.open = 2;
    assert_int_equal(vchan_reset(v), 0);
    assert_int_equal(watches(), 0);
    vchan_free(v);
}

static void without_a_watch_a_client_looks_by_itself(void **state)
{
    struct vchan *v = NULL;
    int ms;

    (void)state;
    store->own = 5;
    store->no_watches = true;
    assert_int_equal(vchan_connect(6, 513, &v), 0);
    assert_int_equal(watches(), 0);
    for (int i = 0; i < 6; i++) {
        ms = vchan_timeout(v);
        assert_in_range(ms, 0, 1 << i);
        assert_int_equal(poll(NULL, 0, ms), 0);
        assert_int_equal(vchan_dispatch(v), 0);
        assert_int_equal(vchan_state(v), VCHAN_WAITING);
    }
    store->has_channel = true;
    assert_int_equal(vchan_dispatch(v), 0);
    assert_int_equal(vchan_state(v), VCHAN_CONNECTED);
    assert_int_equal(vchan_timeout(v), -1);
    vchan_free(v);
}

static void in_dom0_only_the_watch_for_ends_stays(void **state)
{
    struct vchan *v = NULL;

    (void)state;
    store->own = 0;
    assert_int_equal(vchan_connect(3, 513, &v), 0);
    assert_int_equal(watches(), 2);
    store->has_channel = true;
    stage_xenstored_fire("/event-channel");
    assert_int_equal(vchan_dispatch(v), 0);
    assert_int_equal(vchan_state(v), VCHAN_CONNECTED);
    assert_int_equal(watches(), 1);
    vchan_free(v);
    assert_int_equal(watches(), 0);
}

static void waits_that_are_given_up_leave_no_watch(void **state)
{
    struct vchan *waiting[20], *v = NULL;

    (void)state;
    store->own = 5;
    for (uint32_t i = 0; i < 200; i += ARRAY_SIZE(waiting)) {
        for (size_t k = 0; k < ARRAY_SIZE(waiting); k++)
            assert_int_equal(vchan_connect(6, 513 + i + (uint32_t)k, &waiting[k]), 0);
        assert_int_equal(watches(), ARRAY_SIZE(waiting));
        for (size_t k = 0; k < ARRAY_SIZE(waiting); k++)
            vchan_free(waiting[k]);
        assert_int_equal(watches(), 0);
    }
    store->has_channel = true;
    assert_int_equal(vchan_connect(6, 1000, &v), 0);
    assert_int_equal(vchan_state(v), VCHAN_CONNECTED);
    vchan_free(v);
}

static void each_trouble_has_a_sentence(void **state)
{
    (void)state;
    assert_non_null(strstr(vchan_error_text(-ENOSPC), "grants"));
    assert_non_null(strstr(vchan_error_text(-EDQUOT), "xenstore"));
    assert_non_null(strstr(vchan_error_text(-EHOSTDOWN), "gone"));
    assert_non_null(strstr(vchan_error_text(-EPROTONOSUPPORT), "QREXEC_TRANSPORT"));
    assert_string_equal(vchan_error_text(-EPERM), strerror(EPERM));
    setenv("QREXEC_TRANSPORT", "pigeon", 1);
    assert_int_equal(vchan_own_domain(&(uint32_t){0}), -EPROTONOSUPPORT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_own_number_comes_from_xenstore),
        TEST(a_server_waits_connects_and_ends_with_its_peer),
        TEST(a_server_serves_one_peer_after_the_other),
        TEST(a_client_waits_for_the_servers_rings),
        TEST(what_cannot_be_is_refused),
        TEST(dom0_notices_that_a_domain_ends_before_it_connects),
        TEST(dom0_notices_that_a_connected_domain_ends),
        TEST(smaller_rings_are_taken_where_grants_run_out),
        TEST(a_server_without_a_transaction_tries_again),
        TEST(counters_that_cannot_be_end_the_connection),
        TEST(an_event_channel_that_fails_ends_the_connection),
        TEST(each_death_is_told_once),
        TEST(many_domains_can_be_followed),
        TEST(what_servers_left_for_a_domain_is_removed),
        TEST(what_a_killed_server_left_is_removed),
        TEST(in_a_vm_a_wait_has_one_watch_and_a_connection_none),
        TEST(without_a_watch_a_client_looks_by_itself),
        TEST(in_dom0_only_the_watch_for_ends_stays),
        TEST(waits_that_are_given_up_leave_no_watch),
        TEST(each_trouble_has_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
