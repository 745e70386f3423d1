/* The registry on disk: what is written comes back, and what is broken takes only itself out. */
#include "tests/unit/test.h"

#include "domain-spawner/registry.h"

struct fixture {
    char *root;
    char dir[4200], global[4200];
    struct registry reg;
    struct domains ds;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){.root = test_mkdir(), .reg = REGISTRY_NULL};
    assert_int_equal(format(f->dir, sizeof(f->dir), "%s/domains", f->root), 0);
    assert_int_equal(format(f->global, sizeof(f->global), "%s/etc/domains.conf", f->root), 0);
    assert_int_equal(registry_open(&f->reg, f->dir, f->global), 0);
    assert_int_equal(domains_init(&f->ds), 0);
}

static void again(struct fixture *f)
{
    registry_close(&f->reg);
    domains_deinit(&f->ds);
    assert_int_equal(registry_open(&f->reg, f->dir, f->global), 0);
    assert_int_equal(domains_init(&f->ds), 0);
    assert_int_equal(registry_load(&f->reg, &f->ds), 0);
}

static void end(struct fixture *f)
{
    registry_close(&f->reg);
    domains_deinit(&f->ds);
    test_rmdir(f->root);
}

static void write_file(const struct fixture *f, const char *name, const char *text)
{
    char path[8400];

    assert_int_equal(format(path, sizeof(path), "%s/%s", f->dir, name), 0);
    assert_int_equal(file_replace(path, text, strlen(text), 0644), 0);
}

static struct domain *add(struct fixture *f, const char *name, enum domain_class class)
{
    struct domain *d;

    assert_int_equal(domain_new(name, class, &d), 0);
    d->qid = domains_free_qid(&f->ds);
    assert_int_equal(domains_add(&f->ds, d), 0);
    return d;
}

static void everything_comes_back(void **state)
{
    struct fixture f;
    struct domain *d;
    char uuid[UUID_LEN + 1];

    (void)state;
    begin(&f);
    d = add(&f, "work", CLASS_APP);
    memcpy(uuid, d->uuid, sizeof(uuid));
    assert_int_equal(dict_set(&d->properties, "memory", "700"), 0);
    assert_int_equal(dict_set(&d->properties, "netvm", ""), 0);
    assert_int_equal(dict_set(&d->features, "menu-items", "a.desktop b.desktop"), 0);
    assert_int_equal(dict_set(&d->features, "empty", ""), 0);
    assert_int_equal(dict_set(&d->tags, "one", ""), 0);
    assert_int_equal(dict_set(&d->tags, "two", ""), 0);
    d->firewall = strdup("action=accept dst4=10.0.0.0/8\naction=drop comment=a ; b\n");
    d->notes = strdup("first\n\n  indented\n");
    assert_int_equal(registry_save(&f.reg, d), 0);
    again(&f);
    d = domains_find(&f.ds, "work");
    assert_non_null(d);
    assert_string_equal(d->uuid, uuid);
    assert_int_equal(d->class, CLASS_APP);
    assert_int_equal(d->qid, 1);
    assert_string_equal(dict_get(&d->properties, "memory"), "700");
    assert_string_equal(dict_get(&d->properties, "netvm"), "");
    assert_string_equal(dict_get(&d->features, "menu-items"), "a.desktop b.desktop");
    assert_string_equal(dict_get(&d->features, "empty"), "");
    assert_int_equal(d->tags.n, 2);
    assert_string_equal(d->firewall, "action=accept dst4=10.0.0.0/8\naction=drop comment=a ; b\n");
    assert_string_equal(d->notes, "first\n\n  indented\n");
    end(&f);
}

/* Every printable value of a feature survives, whatever an INI reader thinks of it. */
static void any_printable_value_comes_back(void **state)
{
    struct fixture f;
    struct domain *d;
    char values[200][700], name[32];

    (void)state;
    begin(&f);
    d = add(&f, "work", CLASS_APP);
    srand(7);
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        static const char odd[] = " ;#[]=:\\\"'\t  ;; \\- \\s";
        size_t n = (size_t)rand() % (sizeof(values[i]) - 1);

        for (size_t k = 0; k < n; k++) {
            if (i % 2)
                values[i][k] = (char)(0x20 + rand() % 0x5f);
            else if (i % 4 == 2 && k % 90)
                values[i][k] = 'x';
            else
                values[i][k] = odd[(size_t)rand() % (sizeof(odd) - 1)];
        }
        for (size_t k = 0; k < n; k++)
            if (values[i][k] == '\t')
                values[i][k] = ' ';
        values[i][n] = 0;
        assert_int_equal(format(name, sizeof(name), "f%zu", i), 0);
        assert_int_equal(dict_set(&d->features, name, values[i]), 0);
    }
    assert_int_equal(registry_save(&f.reg, d), 0);
    again(&f);
    d = domains_find(&f.ds, "work");
    assert_non_null(d);
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        assert_int_equal(format(name, sizeof(name), "f%zu", i), 0);
        assert_string_equal(dict_get(&d->features, name), values[i]);
    }
    end(&f);
}

static void a_broken_file_takes_only_its_domain_out(void **state)
{
    static const char *const broken[] = {"no equals sign\n",
                                         "type = Nonsense\n",
                                         "",
                                         "type = AppVM\nmemory = much\n",
                                         "type = AppVM\nno_such_property = 1\n",
                                         "type = AppVM\nuuid = 12\n",
                                         "type = AdminVM\n"};
    char name[32], file[64];
    struct fixture f;

    (void)state;
    begin(&f);
    write_file(&f, "good.conf", "type = AppVM\ntemplate = local\n");
    write_file(&f, ".good.conf.Xyz", "half");
    write_file(&f, "README", "not one of ours");
    write_file(&f, "1bad.conf", "type = AppVM\n");
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        assert_int_equal(format(file, sizeof(file), "bad%zu.conf", i), 0);
        write_file(&f, file, broken[i]);
    }
    again(&f);
    assert_int_equal(f.ds.n, 2);
    assert_non_null(domains_find(&f.ds, "good"));
    for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
        assert_int_equal(format(name, sizeof(name), "bad%zu", i), 0);
        assert_non_null(dict_get(&f.reg.broken, name));
    }
    end(&f);
}

static void a_file_made_by_hand_gets_its_numbers(void **state)
{
    struct fixture f;
    struct domain *d;
    char uuid[UUID_LEN + 1];

    (void)state;
    begin(&f);
    write_file(&f, "work.conf",
               "[work]\ntype = AppVM\nlabel = blue\ntags = one\n  two\nkernelopts = a b\n   c\n");
    again(&f);
    d = domains_find(&f.ds, "work");
    assert_non_null(d);
    assert_int_equal(d->qid, 1);
    assert_int_equal(d->tags.n, 2);
    assert_string_equal(d->label, "blue");
    assert_string_equal(dict_get(&d->properties, "kernelopts"), "a b c");
    memcpy(uuid, d->uuid, sizeof(uuid));
    again(&f);
    assert_string_equal(domains_find(&f.ds, "work")->uuid, uuid);
    end(&f);
}

static void changes_of_others_are_seen_and_our_own_are_not(void **state)
{
    char name[DOMAIN_NAME_MAX + 1];
    struct fixture f;
    struct domain *d, *new = NULL;
    struct refusal refusal;

    (void)state;
    begin(&f);
    d = add(&f, "work", CLASS_APP);
    assert_int_equal(registry_save(&f.reg, d), 0);
    assert_int_equal(registry_save_global(&f.reg, &f.ds), 0);
    assert_false(registry_changed(&f.reg, name));
    write_file(&f, "work.conf", "type = AppVM\nmemory = 900\n");
    write_file(&f, "other.conf", "type = AppVM\n");
    assert_true(registry_changed(&f.reg, name));
    assert_string_equal(name, "other");
    assert_true(registry_changed(&f.reg, name));
    assert_string_equal(name, "work");
    assert_int_equal(registry_read(&f.reg, "work", &new, &refusal), 0);
    assert_string_equal(dict_get(&new->properties, "memory"), "900");
    assert_false(registry_changed(&f.reg, name));
    assert_int_equal(file_replace(f.global, "default_pool = x\n", 17, 0644), 0);
    assert_true(registry_changed(&f.reg, name));
    assert_string_equal(name, "");
    domain_free(new);
    end(&f);
}

static void a_write_that_fails_leaves_the_old_file(void **state)
{
    struct fixture f;
    struct domain *d;

    (void)state;
    begin(&f);
    d = add(&f, "work", CLASS_APP);
    assert_int_equal(dict_set(&d->properties, "memory", "500"), 0);
    assert_int_equal(registry_save(&f.reg, d), 0);
    assert_int_equal(dict_set(&d->properties, "memory", "600"), 0);
    /* a key that no line holds: the writer gives up before the rename */
    {
        char key[400];

        memset(key, 'k', sizeof(key) - 1);
        key[sizeof(key) - 1] = 0;
        assert_int_equal(dict_set(&d->features, key, "1"), 0);
        assert_true(registry_save(&f.reg, d) < 0);
    }
    again(&f);
    assert_string_equal(dict_get(&domains_find(&f.ds, "work")->properties, "memory"), "500");
    end(&f);
}

static void the_systems_file_keeps_properties_and_labels(void **state)
{
    struct fixture f;
    uint32_t number = 0;
    struct domain *admin;

    (void)state;
    begin(&f);
    admin = domains_admin(&f.ds);
    assert_int_equal(dict_set(&admin->features, "x", "1"), 0);
    assert_int_equal(registry_save(&f.reg, admin), 0);
    assert_int_equal(dict_set(&f.ds.globals, "default_dispvm", "dvm"), 0);
    assert_int_equal(dict_set(&f.ds.labels, "pink", "9 0xff00ff"), 0);
    assert_int_equal(registry_save_global(&f.reg, &f.ds), 0);
    again(&f);
    assert_string_equal(dict_get(&f.ds.globals, "default_dispvm"), "dvm");
    assert_string_equal(label_colour(&f.ds, "pink", &number), "0xff00ff");
    assert_int_equal(number, 9);
    admin = domains_admin(&f.ds);
    assert_string_equal(dict_get(&admin->features, "x"), "1");
    assert_string_equal(admin->uuid, UUID_ADMIN);
    assert_string_equal(admin->label, "black");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(any_printable_value_comes_back),
        cmocka_unit_test(a_broken_file_takes_only_its_domain_out),
        cmocka_unit_test(a_file_made_by_hand_gets_its_numbers),
        cmocka_unit_test(changes_of_others_are_seen_and_our_own_are_not),
        cmocka_unit_test(a_write_that_fails_leaves_the_old_file),
        cmocka_unit_test(the_systems_file_keeps_properties_and_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
