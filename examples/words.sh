#!/usr/bin/env bash
# What the demos have in common: who says what to which cluster, and how it is looked at. To be sourced.

bin=$(realpath -m "${BIN:-target/debug}")
dir=$(realpath -m "${DIR:-.playground}")
metro=(jishi jiyidong)
export LC_ALL=${LC_ALL:-C.UTF-8}

bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' plain=$'\e[0m'
[[ -t 1 ]] || bold='' dim='' red='' plain=''

fail() {
    echo "${red}demo failed: $1${plain}" >&2
    [[ -e $dir/state.json ]] && echo "The cloud still runs; its logs are in $dir/logs. The end: make ${name:-demo}-down" >&2
    exit 1
}

# An ordinary user's cloud lives in namespaces of its own: the story is then told by a second self in there.
steps=${DEMO_STEPS:-0}
SECONDS=${DEMO_SECONDS:-0}
step() { # ENGLISH 中文
    steps=$((steps + 1))
    printf '\n%s%d  %s | %s%s\n' "$bold" "$steps" "$1" "$2" "$plain"
}

# Everything below acts as WHO, written as user@cluster.
kubeconfig() { # WHO
    local user=${1%%@*} cluster=${1#*@}
    [[ $user == admin ]] && echo "$dir/kubeconfigs/$cluster.yaml" || echo "$dir/kubeconfigs/$cluster-$user.yaml"
}

as() { # WHO COMMAND…: silent about itself
    KUBECONFIG=$(kubeconfig "$1") "${@:2}"
}

show() { # WHO COMMAND…
    printf '%s%s $ %s%s\n' "$dim" "$1" "${*:2}" "$plain"
}

run() { # WHO COMMAND…: must succeed
    show "$@"
    as "$@" || fail "\`${*:2}\` as $1"
}

answers() { # PATTERN WHO COMMAND…: the answer, whatever the exit code, must contain the pattern
    local pattern=$1 said
    shift
    show "$@"
    said=$(as "$@" 2>&1) || true
    echo "$said"
    grep -qE "$pattern" <<<"$said" || fail "\`${*:2}\` as $1 does not say $pattern"
}

refused() { # PATTERN WHO COMMAND…: must fail, and say why
    local pattern=$1 said
    shift
    show "$@"
    if said=$(as "$@" 2>&1); then
        fail "\`${*:2}\` as $1 was not refused: $said"
    fi
    echo "$said"
    grep -qE "$pattern" <<<"$said" || fail "\`${*:2}\` as $1 was refused, but not with $pattern"
}

eventually() { # SECONDS WHAT COMMAND…
    local limit=$1 what=$2 end=$((SECONDS + $1))
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || fail "$what: not within $limit s"
        sleep 0.2
    done
}

now() { date +%s%3N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", (b - a) / 1000 }'; }

down() {
    if [[ -e $dir/state.json ]]; then
        [[ -x $bin/playground ]] || cargo build -p playground
        "$bin/playground" --dir "$dir" down
    else
        echo "nothing runs in $dir"
    fi
}

build() {
    step "Building what is missing; the first time takes minutes" "构建缺少的程序，首次需数分钟"
    cargo build -p xiangyun -p playground -p kubectl-xiangyun -p gate
    export tools
    tools=$("$bin/playground" tools)
    # The plugin is found by kubectl because it is on the path.
    export PATH="$tools:$bin:$PATH"
}
