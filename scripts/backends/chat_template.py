"""What a model's chat template may not do, because a score would then mean something else than the config says.

Templates are programs: some write a system turn of their own or refuse one, drop what stands in `<think>` from earlier
answers, or begin the answer themselves.
"""

from os.path import commonprefix

from backends.tokenizer import rendered

# What transformers gives every template, beside the special tokens.
GIVEN = set("messages tools documents add_generation_prompt raise_exception strftime_now tojson".split())
FOLDER = "put another chat_template.jinja into the model's folder and give that folder as model.source"
# A chat goes on with these, to see how its template writes an answer and a question that follow a question.
ANSWER, QUESTION = {"role": "assistant", "content": "Seven."}, {"role": "user", "content": "And then?"}
# A prompt that asks for nothing: what a template does to this one it does to all.
PLAIN = {"system": None, "examples": [], "prefill": "", "answer": "", "format": ""}


def require_plain_template(tokenizer, chats=((QUESTION,),), prompt=PLAIN):
    """Stop if the chat template does to a split's `chats` what the config section `prompt` does not say.

    Every turn must stand in the prompt word for word; a completion must begin right after the head of its turn, as
    earlier answers do; without a system turn in the config there must be none, unless `prompt.system` is null.
    """
    require_no_special_tokens(tokenizer, chats[0], prompt)
    texts = rendered(tokenizer, chats)
    print(f"The first prompt, from its first character to its last:\n{texts[0]}\n")
    (before, opening), *_ = [around(text, chat) for text, chat in zip(texts, chats, strict=True)]
    longer = [*chats[0], ANSWER, QUESTION]
    *_, opening_of_others, head = around(rendered(tokenizer, [longer])[0], longer)[0]
    require_plain_opening(opening.removesuffix(prompt["prefill"]), opening_of_others)
    if chats[0][0]["role"] != "system" and prompt["system"] is not None:
        require_no_system_turn(before[0], head, special_tokens(tokenizer))


def switches(template):
    """The names that a chat template asks for and no chat gives: `prompt.chat_template_kwargs` may state them."""
    from jinja2 import Environment, TemplateSyntaxError, nodes
    from jinja2.meta import find_undeclared_variables

    try:
        tree = Environment(extensions=["jinja2.ext.loopcontrols"]).parse(template)
    except TemplateSyntaxError:  # tags of transformers' own
        return set()
    own = {each.name for each in tree.find_all(nodes.Name) if each.ctx == "store"}
    return {name for name in find_undeclared_variables(tree) - own - GIVEN if not name.endswith("_token")}


def special_tokens(tokenizer):
    """The texts of the tokenizer's special tokens, in alphabetical order."""
    added = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    return sorted(added | {*tokenizer.all_special_tokens})


def require_no_special_tokens(tokenizer, chat, prompt):
    """Stop if the prompt asks for a special token: completions are decoded without them, so no pattern finds one."""
    examples = [message["content"] for message in chat if message["role"] == "assistant"]
    texts = [prompt["answer"], prompt["format"], prompt["prefill"], *examples]
    if found := [token for token in special_tokens(tokenizer) if any(token in text for text in texts)]:
        raise SystemExit(
            f"error: section prompt has {', '.join(found)}, which the model's tokenizer takes for special tokens, and "
            "completions are read without these: write something else in prompt.answer, prompt.format, prompt.prefill "
            "and prompt.examples"
        )


def around(text, chat):
    """(what stands before each turn's content, what stands after the last one) in a rendered chat, lists and text."""
    before, position = [], 0
    for message in chat:
        start = text.find(message["content"], position)
        if start < 0:
            what = {"system": "prompt.system", "assistant": "the completion of a worked example"}
            raise SystemExit(
                f"error: the model's chat template does not write {what.get(message['role'], 'a question')} word for "
                f"word ({message['content']!r}): change that text, or {FOLDER}"
            )
        before.append(text[position:start])
        position = start + len(message["content"])
    return before, text[position:]


def require_plain_opening(opening, opening_of_others):
    """Stop if the template begins the answer otherwise than earlier answers; white space may differ."""
    if opening.strip() != opening_of_others.strip():
        raise SystemExit(
            f"error: the model's chat template begins the answer with {opening!r} and earlier answers of a chat with "
            f"{opening_of_others!r}, so completions would be judged without a part of them: if "
            "prompt.chat_template_kwargs have it write that, repeat it in prompt.prefill; else "
            f"{FOLDER}, and what it no longer writes can be prompt.prefill"
        )


def require_no_system_turn(opening, head, special):
    """Stop if a chat opens with more than special tokens and the head of a user's turn, which `head` ends with."""
    for token in special:
        opening, head = opening.replace(token, ""), head.replace(token, "")
    shared = commonprefix([opening[::-1], head[::-1]])
    own = opening[: len(opening) - len(shared)].strip()
    if own:
        raise SystemExit(
            f"error: prompt.system is empty, and the model's chat template writes a system turn of its own "
            f"({own!r}): state a text, or null to take the template's"
        )


def end_of_turn(tokenizer, stops):
    """The id that ends an answer in the chat template, one of `stops`; the tokenizer's own if the template has none."""
    chat = [QUESTION, ANSWER, QUESTION]
    *_, after_answer = around(rendered(tokenizer, [chat])[0], chat)[0]
    ids = tokenizer(after_answer, add_special_tokens=False)["input_ids"]
    return next((i for i in ids if i in stops), tokenizer.eos_token_id)
