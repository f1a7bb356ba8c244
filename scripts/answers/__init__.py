"""Types of answers, one module each: how an answer is read from a completion, and when it equals the gold answer.

A module has

    EXTRACTORS                {name: f(text, pattern)}: what each reads in a completion, a text or None. `pattern` is
                              prompt.answer. `strict`, by which completions are rewarded, and `flexible` are in every
                              type
    gold(text)                the canonical form of a gold answer; ValueError in words if it is none
    equal(value, gold, facts) whether a reading, or None, is the gold answer: a boolean, or a score from 0 to 1.
                              `facts` is what else the problem's record says to the judge, mostly nothing
    VERSION                   optional: counts up when what they read changes, instead of protocol.EXTRACTOR_VERSION
    unread(text, pattern)     whether a reading was not attempted, because its work could grow without bound
"""
