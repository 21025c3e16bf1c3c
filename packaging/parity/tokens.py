"""Golden token ids from llama.cpp and golden chats from Jinja2.

Writes `tokens_smollm2.json`: 233 strings and, for SmolLM2's vocabulary under each pre-tokenizer, llama.cpp's ids (no BOS, special
tokens parsed). The vocabulary is re-labelled in temporary files that hold metadata only. As SmolLM2 has no token of two digits, which
would hide how digits are grouped, the same is done once more with some merges of digits added.

Writes `tokens_chat.json`: chat templates in the manner of published ones and chats as Jinja2 renders them with the settings of
Hugging Face's transformers (`trim_blocks`, `lstrip_blocks`, a `tojson` without escapes, `strftime_now`, `raise_exception`).

usage: tokens.py MODEL.gguf OUTPUT_FOLDER
"""

import datetime
import importlib.metadata
import json
import pathlib
import sys
import tempfile

import gguf
import jinja2
import jinja2.sandbox
import llama_cpp

# The engine's name of each pre-tokenizer, and llama.cpp's.
PRE = {"smollm": "smollm", "llama-bpe": "llama-bpe", "gpt2": "gpt-2", "qwen2": "qwen2"}

# Appended to the merges, their results to the tokens.
DIGIT_MERGES = ["1 2", "3 4", "12 34", "12 3", "5 6", "0 0", "2 0", "20 2", "9 0", "\u0120 1", "\u01201 2", "2 3", "4 5", "45 6", "7 8", "78 9"]

# 2026-02-03 04:05:06 UTC.
NOW = 1770091506


def strings():
    """233 strings: code, digits, emoji, scripts, contractions, white space, specials, odd characters."""
    out = [
        "", " ", "  ", "   ", "\n", "\n\n", "\n\n\n", "\t", "\t\t", "\r\n", "\r\n\r\n", "\r", " \n", "\n ", " \n \n ", "\t\n\t",
        "a", "A", " a", "a ", "  a", "a  ", "   a   b    c     ", "a\n", "\na", "a\n\nb", "a \n b", "a\r\nb\r\n", "a\r\n\r\n  b",
        "a\tb\t\tc", "  leading", "trailing  ", "    four\n        eight\n", "\x0b\x0c", "a\x0bb", "\x00", "a\x00b", "\x01\x02\x03",
        "\x04\x06\x13", "\x7f", "a\x1fb", "\x1c\x1d\x1e",
        "Hello, world!", "The quick brown fox jumps over the lazy dog.", "Hello,world;no:spaces", "hello  world",
        "Mr. O'Neill doesn't think it's we'll they've I'd I'm you're", "DON'T WON'T IT'S WE'LL THEY'VE I'D I'M YOU'RE",
        "It'S we'Ll They'Ve I'D you'Re", "'s 't 're 've 'm 'll 'd", "'S 'T 'RE 'VE 'M 'LL 'D", "rock 'n' roll, '90s, ''quoted''",
        "it\u2019s don\u2019t we\u2019ll", "'\u017f '\u212a", "'sis 'reed 'venue", "x's y'all'd've", "'", "''", "'a", "a'", "' s",
        "1", "12", "123", "1234", "12345", "123456789012345678901234567890", "3.14159", "1,234,567.89", "-42", "+7", "1e-10",
        "0x1F", "0b1010", "2024-01-31", "12:34:56", "v1.2.3", "10 20 30", " 1 22 333 4444", "a1b2c3", "x86_64", "H2O", "50%", "$100",
        "\u0661\u0662\u0663", "\u0967\u0968\u0969\u096a", "\uff11\uff12\uff13", "\u00bd \u00be \u2153", "\u2160\u2161\u2162 \u2170", "x\u00b2+y\u00b3",
        "\u2460\u2461\u2462", "\U0001d7d8\U0001d7d9\U0001d7da", "1\u0662\uff13", "\u3007\u4e00\u4e8c", "\u0bf0",
        "def f(x):\n    return x + 1\n", "for (int i = 0; i < n; ++i) {\n\ta[i] += b[i];\n}", "if (x==1&&y!=2||!z){return;}",
        "import numpy as np\nfrom os import path\n\n\nclass A(B):\n    pass\n", "fn main() { println!(\"{}\", 1u32); }",
        "SELECT * FROM t WHERE a='b' -- c", "<div class=\"a\">text</div>", "{\"key\": [1, 2.5, null, true]}", "a->b::c.d?.e",
        "https://example.com/a/b?c=d&e=%20f#g", "user@example.com", "C:\\Users\\me\\file.txt", "/usr/local/bin/x", "$HOME/${x}",
        "#include <stdio.h>", "x = y ** 2 // 3 % 4", "/* comment */ // line", "<!-- html -->", "\\n\\t\\\\", "`code` ```block```",
        "CamelCaseIdentifier snake_case_name kebab-case-name SCREAMING_CASE", "__init__ _private __dunder__", "a,b;c:d.e!f?g",
        "((()))[[[]]]{{{}}}", "======", "-----", "....", "!!!", "???!!!", "***bold***", "~~~", "^^^", "|a|b|", "@#$%^&*()_+",
        "... and so on ...", "\"quoted\" 'single' `back`", "a/b/c", "and/or", "e.g. i.e. etc.", "U.S.A.", "3rd 1st 2nd",
        "\u00e9", "e\u0301", "\u00e9e\u0301", "caf\u00e9 na\u00efve r\u00e9sum\u00e9", "Z\u00fcrich \u00d8re \u00c5ngstr\u00f6m", "stra\u00dfe STRASSE", "\u00c6sop \u0153uvre \ufb01",
        "na\u0308i\u0308ve", "Z\u0351\u036b\u0343a\u0357l\u0363g\u030ao\u0302", "\u0301", " \u0301a", "a\u0301\u0302\u0303b",
        "\u4f60\u597d\u4e16\u754c", "\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002\u6211\u4eec\u53bb\u516c\u56ed\uff01", "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8", "\u3072\u3089\u304c\u306a\u30ab\u30bf\u30ab\u30ca\u6f22\u5b57", "\ud55c\uad6d\uc5b4 \ud14d\uc2a4\ud2b8", "\u1112\u1161\u11ab",
        "\u4e2d\u6587English\u6df7\u5408123", "\u3000\u5168\u89d2\u3000\u7a7a\u767d", "\uff21\uff22\uff23\uff41\uff42\uff43", "\u300c\u5f15\u7528\u300d\uff08\u62ec\u53f7\uff09", "\U00020000\U0002a6d6",
        "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!", "\u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5 \u039a\u03cc\u03c3\u03bc\u03b5", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd", "\u0646\u0650\u0639\u0652\u0645\u064e\u0629", "\u202bRTL\u202c \u200fmark\u200e",
        "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01", "\u0bb5\u0ba3\u0b95\u0bcd\u0b95\u0bae\u0bcd", "\u10d2\u10d0\u10db\u10d0\u10e0\u10ef\u10dd\u10d1\u10d0", "\u0540\u0561\u0575\u0565\u0580\u0565\u0576", "\u13e3\u13b3\u13a9", "\u1f77\u1fbe\u1ffc",
        "\U0001f600", "\U0001f600\U0001f601\U0001f602", "Hi \U0001f44b\U0001f3fd!", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "1\ufe0f\u20e3 \u2764\ufe0f", "\u2192\u2190\u21d2\u2200\u2203\u2211\u222b\u221a",
        "\u20ac\u00a3\u00a5\u20bf", "\u00a9\u00ae\u2122", "\u2014\u2013\u2026\u2022", "\u00ab\u00bb\u201e\u201c\u201d\u2018\u2019",
        "\u200b", "a\u200bb", "zero\u200cwidth\u200djoiner", "\ufeffBOM", "\u00a0nbsp\u00a0\u00a0two", "a\u2003b\u2009c", "\u2028\u2029", "a\u0085b", "\u00ad soft",
        "\ufffd", "\ufdd0\uffff", "\ue000\uf8ff", "\U000e0041\U0010ffff", "\u180e", "\U00040000", "\U000f0000x",
        "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "a<|im_end|>b",
        "<|im_end|><|im_end|>", " <|im_start|> ", "<|im_end", "|im_end|>", "<|im_<|im_end|>end|>", "<repo_name>x<file_sep>y", "<empty_output>", "<|eot_id|><|begin_of_text|>",
        "antidisestablishmentarianism", "Donaudampfschifffahrtsgesellschaftskapit\u00e4n", "x" * 100, "ab" * 60, "-" * 80, " " * 50,
        "\n" * 20, "word " * 20, "AAAAAAAAAAAAAAAAAAAA", "supercalifragilisticexpialidocious" * 3,
        "Call me Ishmael. Some years ago\u2014never mind how long precisely\u2014having little or no money in my purse",
        "The answer is 42; isn't it?\n\n- one\n- two\n\t- three\n\n1. first\n2. second",
        "| a | b |\n|---|---|\n| 1 | 2 |\n", "Temp: 21.5\u00b0C \u00b1 0.3, \u0394x \u2248 10\u207b\u00b3 m", "  \u00bfQu\u00e9 tal?  \u00a1Bien!  ",
        "a \u00a0 b", "x\n\n  y", "x \t\n  y", "end of line  \n", "\n  indented", "mixed\r\nline\rends\n\r",
    ]
    assert len(out) == len(set(out)) == 233
    return out


def relabelled(reader, pre, merges, folder):
    """A file with the same vocabulary and more merges, another `tokenizer.ggml.pre`, and no tensors."""
    tokens = [merge.replace(" ", "") for merge in merges]
    field = lambda name: reader.fields["tokenizer.ggml." + name].contents()
    path = pathlib.Path(folder) / f"{pre}.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(field("model"))
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(field("tokens") + tokens)
    writer.add_token_types(field("token_type") + [1] * len(tokens))
    writer.add_token_merges(field("merges") + merges)
    writer.add_bos_token_id(field("bos_token_id"))
    writer.add_eos_token_id(field("eos_token_id"))
    writer.add_add_bos_token(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def token_goldens(model):
    texts = strings()
    reader = gguf.GGUFReader(model)
    ids, ids_with_digits = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, pre in PRE.items():
            for merges, table in (([], ids), (DIGIT_MERGES, ids_with_digits)):
                path = relabelled(reader, pre, merges, folder)
                llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
                table[name] = [llama.tokenize(text.encode(), add_bos=False, special=True) for text in texts]
                llama.close()
    original = llama_cpp.Llama(str(model), vocab_only=True, verbose=False)
    assert ids["smollm"] == [original.tokenize(text.encode(), add_bos=False, special=True) for text in texts]
    made_by = "llama-cpp-python " + importlib.metadata.version("llama-cpp-python")
    return {"made_by": made_by, "strings": texts, "ids": ids, "digit_merges": DIGIT_MERGES, "ids_with_digits": ids_with_digits}


# In the manner of the published templates: what they call and how they are laid out, shortened.
TEMPLATES = {
    "smollm2": "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a"
    " helpful AI assistant.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' +"
    " '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "llama3": """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif message.tool_calls|length != 1 %}
        {{- raise_exception("This model only supports single tool-calls at once!") }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "qwen3": """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- for tool in tools %}
        {{- tool | tojson }}
    {%- endfor %}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(looking=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.looking and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.looking = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index and (loop.last or reasoning_content) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
""",
    "alternating": """{%- if messages[0]["role"] == "system" -%}
    {%- set first, turns = messages[0]["content"], messages[1:] -%}
{%- else -%}
    {%- set first, turns = "", messages -%}
{%- endif -%}
{{ bos_token }}
{%- for message in turns %}
    {%- if (message["role"] == "user") != (loop.index0 % 2 == 0) %}
        {{- raise_exception("roles must alternate user/assistant") }}
    {%- endif %}
    {%- if message["role"] == "user" %}
        {{- "[INST] " ~ (first ~ "\\n\\n" if loop.first and first else "") ~ message["content"].strip() ~ " [/INST]" }}
    {%- else %}
        {{- " " ~ message["content"].replace("\\t", "  ") | trim ~ eos_token }}
    {%- endif %}
{%- endfor %}
""",
    "methods": """{% for m in messages %}{% set c = m.content %}
[{{ c.upper() }}|{{ c.lower() }}|{{ c.title() }}|{{ c.capitalize() }}|{{ c.strip() }}|{{ c.lstrip() }}|{{ c.rstrip() }}|{{ c.strip('Hi \\n') }}]
[{{ c.split()|join(',') }}|{{ c.split(' ')|join(',') }}|{{ c.split('a', 1)|join('/') }}|{{ c.rsplit('a', 1)|join('/') }}|{{ c.splitlines()|length }}]
[{{ c.replace('a', 'bb') }}|{{ c.replace('a', '', 1) }}|{{ c.find('a') }}|{{ c.rfind('a') }}|{{ c.count('a') }}|{{ c.isdigit() }}|{{ c.isspace() }}]
[{{ c.startswith('H') }}|{{ c.startswith(('x', 'H')) }}|{{ c.endswith('\\n') }}|{{ c.removeprefix('H') }}|{{ c.removesuffix('i') }}]
[{{ m.get('role') }}|{{ m.get('none', 'other') }}|{{ m.get('none') }}|{{ m.keys()|list|length }}|{{ m.values()|list|length }}|{{ '-'.join(['a', 'b']) }}]
[{{ {'a': [1, 2.5, none, true, c]}|tojson }}|{{ {'a': [1]}|tojson(indent=2) }}|{{ c|indent(2) }}|{{ c|indent(width=3, first=true) }}]
[{{ c[1:3] }}|{{ c[::-1] }}|{{ c|length }}|{{ c is string }}|{{ 7 // 2 }}|{{ 7 % 3 }}|{{ 2 * 3 + 1 }}|{{ 'a' ~ 1 ~ none ~ true }}|{{ 1.5 * 2 }}|{{ 1 == 1.0 }}]
[{{ c|trim|upper|replace('A', 'b') }}|{{ c|default('x') }}|{{ nothing|default('x') }}|{{ (c|list)|length }}|{{ 'a' in c }}|{{ [1] + [2] }}|{{ m is mapping }}]
{% endfor %}
""",
    "layout": """# {{ messages|length }} messages
{% for message in messages %}
    {% if message.role == 'user' %}
  * {{ message.role|upper }}: {{ message.content|tojson }}
    {% else %}
  - {{ message.role.title() }}: {{ (message.content.splitlines() or [''])|join(' / ')|indent(4) }}
    {% endif %}
    {# a comment #}
    {%- for key, value in message.items() if key != 'role' %}
[{{ key }}={{ value|length }}]
    {% endfor %}
{% endfor %}
{% macro end(text, mark='.') %}{{ text }}{{ mark }}{% endmacro %}
{{ end('done', mark='!') if add_generation_prompt else end('done') }}

""",
}


def message(role, content):
    return {"role": role, "content": content}


CHATS = [
    [message("user", "Hi")],
    [message("system", "  Be brief. \n"), message("user", "What is 2+2?")],
    [
        message("user", " spaces around \n"),
        message("assistant", "<think>\nHm.\n</think>\n\nFirst\tanswer"),
        message("user", "And \"quotes\", 'apostrophes' \\ \u00fc \U0001f600 <b>&amp;</b>\nsecond line"),
    ],
    [message("system", "S"), message("user", "a"), message("assistant", "b"), message("user", ""), message("assistant", "<think>x</think>c")],
    [message("assistant", "out of turn"), message("user", "x")],
]


def render(source, messages, add_generation_prompt):
    def raise_exception(text):
        raise jinja2.exceptions.TemplateError(text)

    moment = datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc)
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    env.filters["tojson"] = lambda x, **options: json.dumps(x, ensure_ascii=False, **options)
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = moment.strftime
    try:
        text = env.from_string(source).render(
            messages=messages,
            add_generation_prompt=add_generation_prompt,
            bos_token="<|begin_of_text|>",
            eos_token="<|end_of_text|>",
            tools=None,
            documents=None,
        )
        return {"text": text}
    except jinja2.exceptions.TemplateError as err:
        return {"error": err.message}


def chat_goldens():
    rendered = {
        name: [render(source, chat, prompt) for chat in CHATS for prompt in (False, True)] for name, source in TEMPLATES.items()
    }
    made_by = "Jinja2 " + importlib.metadata.version("jinja2")
    return {"made_by": made_by, "now_secs": NOW, "templates": TEMPLATES, "chats": CHATS, "rendered": rendered}


def main():
    model, out = sys.argv[1], pathlib.Path(sys.argv[2])
    goldens = {"tokens_smollm2.json": token_goldens(model), "tokens_chat.json": chat_goldens()}
    for name, golden in goldens.items():
        text = json.dumps(golden, ensure_ascii=True, separators=(",", ":"))
        # One line for each top-level entry and pre-tokenizer keeps differences readable.
        (out / name).write_text(text.replace('],"', '],\n"') + "\n")
        print(name, len(text), "bytes")


if __name__ == "__main__":
    main()
