/* Properties: defaults, forms, and what is refused. */
#include "tests/unit/test.h"

#include "domain-spawner/property.h"

struct world {
    struct domains ds;
    struct domain *template, *app, *disp, *net, *dvm;
};

static struct domain *add(struct domains *ds, const char *name, enum domain_class class)
{
    struct domain *d;

    assert_int_equal(domain_new(name, class, &d), 0);
    d->qid = domains_free_qid(ds);
    assert_int_equal(domains_add(ds, d), 0);
    return d;
}

static void put(struct domain *d, const char *name, const char *value)
{
    assert_int_equal(dict_set(&d->properties, name, value), 0);
}

static void world_make(struct world *w)
{
    assert_int_equal(domains_init(&w->ds), 0);
    w->template = add(&w->ds, "debian", CLASS_TEMPLATE);
    w->app = add(&w->ds, "work", CLASS_APP);
    w->net = add(&w->ds, "sys-net", CLASS_STANDALONE);
    w->dvm = add(&w->ds, "dvm", CLASS_APP);
    w->disp = add(&w->ds, "disp7", CLASS_DISP);
    put(w->app, "template", "debian");
    put(w->dvm, "template", "debian");
    put(w->dvm, "template_for_dispvms", "True");
    put(w->disp, "template", "dvm");
    put(w->net, "provides_network", "True");
}

static const char *value(struct world *w, struct domain *d, const char *name, bool *is_default)
{
    static struct property_text t;
    const struct property *p = property_find(d, name);

    assert_non_null(p);
    property_get(&w->ds, d, p, &t, is_default);
    return t.s;
}

/* The exception's type, or "" and the value is stored. */
static const char *set(struct world *w, struct domain *d, const char *name, const char *text)
{
    const struct property *p = property_find(d, name);
    static struct refusal refusal;
    struct property_text t;
    int r;

    assert_non_null(p);
    r = property_check(&w->ds, d, p, text, &t, &refusal);
    if (r)
        return refusal.type;
    assert_int_equal(property_store(&w->ds, d, p, t.s), 0);
    return "";
}

static void a_default_comes_through_template_and_its_template(void **state)
{
    struct world w;
    bool is_default;

    (void)state;
    world_make(&w);
    assert_string_equal(value(&w, w.disp, "memory", &is_default), "400");
    assert_true(is_default);
    assert_string_equal(set(&w, w.template, "memory", "700"), "");
    assert_string_equal(value(&w, w.app, "memory", &is_default), "700");
    assert_true(is_default);
    assert_string_equal(value(&w, w.disp, "memory", NULL), "700");
    assert_string_equal(set(&w, w.dvm, "memory", "900"), "");
    assert_string_equal(value(&w, w.disp, "memory", NULL), "900");
    assert_string_equal(value(&w, w.dvm, "memory", &is_default), "900");
    assert_false(is_default);
    domains_deinit(&w.ds);
}

static void a_default_comes_from_the_global_one(void **state)
{
    struct world w;

    (void)state;
    world_make(&w);
    assert_string_equal(value(&w, w.app, "qrexec_timeout", NULL), "60");
    assert_string_equal(set(&w, NULL, "default_qrexec_timeout", "5"), "");
    assert_string_equal(value(&w, w.app, "qrexec_timeout", NULL), "5");
    assert_string_equal(set(&w, NULL, "default_netvm", "sys-net"), "");
    assert_string_equal(value(&w, w.app, "netvm", NULL), "sys-net");
    assert_string_equal(value(&w, w.template, "netvm", NULL), "");
    assert_string_equal(value(&w, w.net, "netvm", NULL), "");
    assert_string_equal(value(&w, w.app, "guivm", NULL), "dom0");
    domains_deinit(&w.ds);
}

static void a_disposable_opens_disposables_of_its_own_template(void **state)
{
    struct world w;

    (void)state;
    world_make(&w);
    assert_string_equal(value(&w, w.disp, "default_dispvm", NULL), "dvm");
    assert_string_equal(value(&w, w.app, "default_dispvm", NULL), "");
    assert_string_equal(set(&w, NULL, "default_dispvm", "dvm"), "");
    assert_string_equal(value(&w, w.app, "default_dispvm", NULL), "dvm");
    domains_deinit(&w.ds);
}

static void truth_has_eight_words_in_any_case(void **state)
{
    static const char *const yes[] = {"1", "yes", "true", "on", "TRUE", "On"};
    static const char *const no[] = {"0", "no", "false", "off", "FALSE", "oFF"};
    static const char *const neither[] = {"", "2", "y", "truee", " on", "None"};
    struct world w;

    (void)state;
    world_make(&w);
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        assert_string_equal(set(&w, w.app, "debug", yes[i]), "");
        assert_string_equal(value(&w, w.app, "debug", NULL), "True");
        assert_string_equal(set(&w, w.app, "debug", no[i]), "");
        assert_string_equal(value(&w, w.app, "debug", NULL), "False");
        assert_string_equal(set(&w, w.app, "debug", neither[i]), "QubesValueError");
    }
    domains_deinit(&w.ds);
}

static void numbers_are_whole_and_not_negative(void **state)
{
    struct world w;

    (void)state;
    world_make(&w);
    assert_string_equal(set(&w, w.app, "memory", "-1"), "QubesValueError");
    assert_string_equal(set(&w, w.app, "memory", "4.5"), "QubesValueError");
    assert_string_equal(set(&w, w.app, "memory", ""), "QubesValueError");
    assert_string_equal(set(&w, w.app, "memory", "0"), "QubesValueError");
    assert_string_equal(set(&w, w.app, "memory", "99999999999999999999"), "QubesValueError");
    assert_string_equal(set(&w, w.app, "maxmem", "0"), "");
    domains_deinit(&w.ds);
}

static void what_is_fixed_cannot_be_set(void **state)
{
    static const char *const fixed[] = {"name", "uuid", "qid", "klass", "xid", "icon"};
    struct world w;

    (void)state;
    world_make(&w);
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        assert_string_equal(set(&w, w.app, fixed[i], "7"), "QubesPropertyValueError");
    assert_null(property_find(w.app, "no_such"));
    assert_null(property_find(w.app, "relayvm"));
    assert_null(property_find(NULL, "netvm"));
    domains_deinit(&w.ds);
}

static void a_netvm_provides_network_and_makes_no_loop(void **state)
{
    struct world w;
    struct domain *firewall;

    (void)state;
    world_make(&w);
    firewall = add(&w.ds, "sys-firewall", CLASS_STANDALONE);
    assert_string_equal(set(&w, w.app, "netvm", "sys-firewall"), "QubesValueError");
    assert_string_equal(set(&w, firewall, "provides_network", "True"), "");
    assert_string_equal(set(&w, w.app, "netvm", "sys-firewall"), "");
    assert_string_equal(set(&w, firewall, "netvm", "sys-net"), "");
    assert_string_equal(set(&w, w.net, "netvm", "sys-firewall"), "QubesValueError");
    assert_string_equal(set(&w, w.net, "netvm", "sys-net"), "QubesValueError");
    assert_string_equal(set(&w, w.app, "netvm", "nobody"), "QubesPropertyValueError");
    assert_string_equal(set(&w, w.app, "netvm", ""), "");
    assert_string_equal(value(&w, w.app, "netvm", NULL), "");
    domains_deinit(&w.ds);
}

static void a_running_domain_needs_a_running_netvm(void **state)
{
    struct world w;

    (void)state;
    world_make(&w);
    w.app->state = STATE_RUNNING;
    assert_string_equal(set(&w, w.app, "netvm", "sys-net"), "QubesVMNotStartedError");
    w.net->state = STATE_RUNNING;
    assert_string_equal(set(&w, w.app, "netvm", "sys-net"), "");
    domains_deinit(&w.ds);
}

static void a_netvm_in_use_goes_on_providing_network(void **state)
{
    struct world w;

    (void)state;
    world_make(&w);
    assert_string_equal(set(&w, w.app, "netvm", "sys-net"), "");
    assert_string_equal(set(&w, w.net, "provides_network", "False"), "QubesVMInUseError");
    assert_string_equal(set(&w, w.app, "netvm", ""), "");
    assert_string_equal(set(&w, w.net, "provides_network", "False"), "");
    domains_deinit(&w.ds);
}

static void a_template_for_disposables_in_use_stays_one(void **state)
{
    struct world w;

    (void)state;
    world_make(&w);
    assert_string_equal(set(&w, w.dvm, "template_for_dispvms", "False"), "QubesVMInUseError");
    domains_remove(&w.ds, w.disp);
    domain_free(w.disp);
    assert_string_equal(set(&w, w.app, "default_dispvm", "dvm"), "");
    assert_string_equal(set(&w, w.dvm, "template_for_dispvms", "False"), "QubesVMInUseError");
    assert_string_equal(set(&w, w.app, "default_dispvm", ""), "");
    assert_string_equal(set(&w, NULL, "default_dispvm", "dvm"), "");
    assert_string_equal(set(&w, w.dvm, "template_for_dispvms", "False"), "QubesVMInUseError");
    assert_string_equal(set(&w, NULL, "default_dispvm", ""), "");
    assert_string_equal(set(&w, w.dvm, "template_for_dispvms", "False"), "");
    assert_string_equal(set(&w, w.app, "default_dispvm", "dvm"), "QubesPropertyValueError");
    domains_deinit(&w.ds);
}

static void a_template_changes_only_while_halted_and_unused(void **state)
{
    struct world w;

    (void)state;
    world_make(&w);
    add(&w.ds, "fedora", CLASS_TEMPLATE);
    assert_string_equal(set(&w, w.app, "template", "dvm"), "QubesPropertyValueError");
    assert_string_equal(set(&w, w.disp, "template", "work"), "QubesPropertyValueError");
    assert_string_equal(set(&w, w.app, "template", ""), "QubesValueError");
    w.app->state = STATE_RUNNING;
    assert_string_equal(set(&w, w.app, "template", "fedora"), "QubesVMNotHaltedError");
    w.app->state = STATE_HALTED;
    assert_string_equal(set(&w, w.app, "template", "fedora"), "");
    w.disp->state = STATE_RUNNING;
    assert_string_equal(set(&w, w.dvm, "template", "fedora"), "QubesVMInUseError");
    w.disp->state = STATE_HALTED;
    assert_string_equal(set(&w, w.dvm, "template", "fedora"), "");
    domains_deinit(&w.ds);
}

static void addresses_come_from_numbers(void **state)
{
    struct world w;

    (void)state;
    world_make(&w);
    w.app->qid = 12;
    assert_string_equal(value(&w, w.app, "ip", NULL), "10.137.0.12");
    w.app->qid = 254;
    assert_string_equal(value(&w, w.app, "ip", NULL), "10.137.0.254");
    w.app->qid = 255;
    assert_string_equal(value(&w, w.app, "ip", NULL), "10.137.1.1");
    put(w.disp, "dispid", "9999");
    assert_string_equal(value(&w, w.disp, "ip", NULL), "10.138.39.93");
    assert_string_equal(set(&w, w.app, "ip", "10.0.0.300"), "QubesValueError");
    domains_deinit(&w.ds);
}

static void icons_tell_class_and_label(void **state)
{
    struct world w;

    (void)state;
    world_make(&w);
    assert_string_equal(value(&w, w.app, "icon", NULL), "appvm-red");
    assert_string_equal(value(&w, w.template, "icon", NULL), "templatevm-red");
    assert_string_equal(value(&w, w.dvm, "icon", NULL), "templatevm-red");
    assert_string_equal(value(&w, w.disp, "icon", NULL), "dispvm-red");
    assert_string_equal(value(&w, w.net, "icon", NULL), "servicevm-red");
    assert_string_equal(value(&w, domains_admin(&w.ds), "icon", NULL), "adminvm-black");
    assert_string_equal(set(&w, w.app, "label", "pink"), "QubesLabelNotFoundError");
    assert_string_equal(set(&w, w.app, "label", "blue"), "");
    assert_string_equal(value(&w, w.app, "icon", NULL), "appvm-blue");
    domains_deinit(&w.ds);
}

static void a_use_is_found_and_named(void **state)
{
    struct world w;
    struct property_text use;

    (void)state;
    world_make(&w);
    assert_true(property_uses(&w.ds, w.dvm, &use));
    assert_string_equal(use.s, "template for disp7");
    assert_false(property_uses(&w.ds, w.app, &use));
    assert_string_equal(set(&w, NULL, "clockvm", "work"), "");
    assert_true(property_uses(&w.ds, w.app, &use));
    assert_string_equal(use.s, "global property clockvm");
    domains_deinit(&w.ds);
}

static void names_follow_the_rules(void **state)
{
    static const char *const good[] = {"a", "work", "A.b-c_d", "disp1234",
                                       "a234567890123456789012345678901"};
    static const char *const bad[] = {
        "",    "1a", "none", "default", "Domain-0", "x-dm", "a b",
        "a/b", "-a", ".a",   "a\n",     "ä",        "a:b",  "a2345678901234567890123456789012"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_true(domain_name_valid(good[i]));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(domain_name_valid(bad[i]));
}

static void every_row_of_the_table_can_be_read(void **state)
{
    struct world w;
    const struct property *p;
    struct property_text t;

    (void)state;
    world_make(&w);
    for (size_t i = 0; i < w.ds.n; i++)
        for (size_t k = 0; (p = property_at(w.ds.list[i], k)); k++) {
            assert_ptr_equal(property_find(w.ds.list[i], p->name), p);
            property_get(&w.ds, w.ds.list[i], p, &t, NULL);
            assert_true(*p->help && p->help[strlen(p->help) - 1] == '.');
        }
    domains_deinit(&w.ds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_default_comes_through_template_and_its_template),
        cmocka_unit_test(a_default_comes_from_the_global_one),
        cmocka_unit_test(a_disposable_opens_disposables_of_its_own_template),
        cmocka_unit_test(truth_has_eight_words_in_any_case),
        cmocka_unit_test(numbers_are_whole_and_not_negative),
        cmocka_unit_test(what_is_fixed_cannot_be_set),
        cmocka_unit_test(a_netvm_provides_network_and_makes_no_loop),
        cmocka_unit_test(a_running_domain_needs_a_running_netvm),
        cmocka_unit_test(a_netvm_in_use_goes_on_providing_network),
        cmocka_unit_test(a_template_for_disposables_in_use_stays_one),
        cmocka_unit_test(a_template_changes_only_while_halted_and_unused),
        cmocka_unit_test(addresses_come_from_numbers),
        cmocka_unit_test(icons_tell_class_and_label),
        cmocka_unit_test(a_use_is_found_and_named),
        cmocka_unit_test(names_follow_the_rules),
        cmocka_unit_test(every_row_of_the_table_can_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
