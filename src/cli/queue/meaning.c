#include "cli/queue/meaning.h"

#include "base/view.h"
#include "cli/queue/mail.h"
#include "cli/queue/rules.h"

/* The code of "450 4.2.0 text"; 0: no refusal, or no reply of a server's. */
static int code_of(struct sp_view reply)
{
    if (reply.len < 4 || reply.p[3] != ' ' || (reply.p[0] != '4' && reply.p[0] != '5') ||
        !sp_ascii_digit(reply.p[1]) || !sp_ascii_digit(reply.p[2]))
        return 0;
    return (reply.p[0] - '0') * 100 + (reply.p[1] - '0') * 10 + (reply.p[2] - '0');
}

static struct sp_view id_of(struct sp_view reply, struct sp_view id)
{
    const struct reference_signature *s =
        id.len ? NULL : reference_signature_find(code_of(reply), sp_view_from(reply, 4));
    return s ? sp_view_of(s->id) : id;
}

void queue_print_meaning(struct sp_view reply, struct sp_view id, enum reference_lang lang, FILE *to)
{
    int code = code_of(reply);
    if (!code)
        return;
    queue_print_label(QUEUE_WORD_MEANS, lang, to);
    fputs(reference_explain(code, sp_view_from(reply, 4), lang), to);
    id = id_of(reply, id);
    if (id.len)
        fprintf(to, " (%.*s)", (int)id.len, (const char *)id.p);
    fputc('\n', to);
}

void queue_print_action(enum reference_action action, enum reference_lang lang, FILE *to)
{
    const struct reference_action_text *a = reference_action_text(action);
    if (!a)
        return;
    queue_print_label(QUEUE_WORD_THEREFORE, lang, to);
    fprintf(to, "%s: %s (%s)\n", reference_in(&a->title, lang), reference_in(&a->does, lang), a->name);
}

json_t *queue_json_meaning(struct sp_view reply, struct sp_view id)
{
    int code = code_of(reply);
    if (!code)
        return json_null();
    struct sp_view text = sp_view_from(reply, 4);
    id = id_of(reply, id);
    return json_pack("{s:o, s:s, s:s}", "id", queue_json_text_or_null(id), "en",
                     reference_explain(code, text, REFERENCE_EN), "vi",
                     reference_explain(code, text, REFERENCE_VI));
}
