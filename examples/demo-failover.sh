#!/usr/bin/env bash
# A centre is lost under load, on one machine: `make demo-failover`. One application answers in both centres, another one
# writes in one and never in two; a client counts every answer, and the writers' own logs say who wrote when. Every command
# is real and shown with who gives it. `make demo-failover-down` removes everything.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
name=demo-failover
DIR=${DIR:-.playground-failover}
source examples/words.sh

# A server of the hub that outlives jishi.
hub=hub@jiyidong
client=''
trap '[[ -z $client ]] || kill "$client" 2>/dev/null || true' EXIT

playground() { "$bin/playground" --dir "$dir" "$@"; }

start() {
    step "Three centres; in each metro centre one node runs real processes behind a gate" "三个中心，主备各有一个带闸门的真实节点"
    [[ ! -e $dir/state.json ]] || playground down
    playground up --profile full --nodes 10 --runners 1 --gates >/dev/null || fail "the cloud did not start"
    run zhao.min@$hub kubectl apply -f examples/00-centres.yaml -f examples/10-pools.yaml -f examples/20-tenants.yaml
    run zhao.min@$hub kubectl wait dept --all --for=condition=Ready --timeout=60s
    eventually 60 "pool x86 is there" as zhao.min@$hub kubectl wait qpool/x86 --for=condition=Ready --timeout=1s
}

applications() {
    step "A grant, and two applications: one in both centres, one in jishi alone" "授予配额，部署两个应用：一个双活，一个独占"
    run li.na@$hub kubectl apply -f examples/requests/1-granted.yaml
    eventually 30 "the request is read" as li.na@$hub kubectl wait rreq/yibao-settlement --for=condition=Approved=False --timeout=1s
    run zhang.wei@$hub kubectl xiangyun approve rreq/yibao-settlement -n dept-yibao --comment 同意
    run wang.fang@$hub kubectl xiangyun approve rreq/yibao-settlement -n dept-yibao --comment 同意
    run li.na@$hub kubectl wait rreq/yibao-settlement --for=condition=Provisioned --timeout=60s
    run li.na@$hub kubectl apply -f examples/failover/apps.yaml
    eventually 90 "web is armed" as li.na@$hub kubectl wait dap/web --for=condition=FailoverArmed --timeout=1s
    eventually 90 "ledger is armed" as li.na@$hub kubectl wait dap/ledger --for=condition=FailoverArmed --timeout=1s
    eventually 90 "both run" as li.na@$hub kubectl wait dap/web dap/ledger --for=condition=Ready --timeout=1s
    run li.na@$hub kubectl get dap
    run li.na@$hub kubectl xiangyun fence status
}

witness_is() { # CENTRE STATE
    [[ $(as zhao.min@$hub kubectl get dcn "$1" -o jsonpath='{.status.witness.state}') == "$2" ]]
}

incident() { as zhao.min@$hub kubectl get dcn jishi -o jsonpath='{.status.witness.incident}'; }

succeeded() { # FAILOVER
    [[ $(as li.na@$hub kubectl get failover "$1" -o jsonpath='{.status.phase}') == Succeeded ]]
}

writes_in() { # PLACEMENT CENTRE: the last record is from there
    playground writes | awk -v scope="\"dept-yibao/$1\":" -v centre="\"$2\"" '
        index($0, "\": {") && $1 == scope { in_it = 1; next }
        in_it && /^  }/ { in_it = 0 }
        in_it && /"place":/ { gsub(/,/, "", $2); last = $2 }
        END { exit last != centre }'
}

a_loss() {
    local began took
    step "A client asks 20 times a second; then jishi stands still, all of it" "客户端每秒 20 次请求；随后主中心整体失联"
    # Not by the word above: what is ended later has to be the program itself.
    "$bin/playground" --dir "$dir" client --placement dept-yibao/web --rate 20 --log "$dir/client.jsonl" >"$dir/client.json" &
    client=$!
    eventually 30 "the client is answered" grep -q '"ok":true' "$dir/client.jsonl"
    began=$(now)
    show operator@jishi playground fault freeze jishi
    playground fault freeze jishi
    eventually 60 "the verdict" witness_is jishi Lost
    took=$(since "$began")
    echo "verdict after $took s | $took 秒后判定"
    eventually 90 "web is carried" succeeded "web-$(incident)"
    eventually 90 "ledger moved" succeeded "ledger-$(incident)"
    eventually 30 "ledger writes in jiyidong" writes_in ledger jiyidong
    run zhao.min@$hub kubectl get dcn
    run li.na@$hub kubectl get failover
    run li.na@$hub kubectl xiangyun failover status "ledger-$(incident)"
    answers 'PermitExpired' li.na@$hub kubectl get failover "ledger-$(incident)" -o jsonpath='{.status.proof.kind}{"\n"}'
}

and_back() {
    step "It wakes up with its old pod, which may not speak; and what was moved goes home" "主中心恢复，旧副本不得通信；随后回切"
    show operator@jishi playground fault thaw jishi
    playground fault thaw jishi
    eventually 60 "it returned" witness_is jishi Returned
    run li.na@$hub kubectl xiangyun failback start ledger
    eventually 60 "ledger writes in jishi" writes_in ledger jishi
    eventually 60 "nothing is away" witness_is jishi Granted
    run li.na@$hub kubectl get dap,failover
}

without_agents() {
    local failover
    step "The agents of jishi die first, then all of it stands still: what moves has no proof but the gate's" "先失去代理，再整体失联：仅凭闸门凭证切换"
    run li.na@$hub kubectl apply -f examples/failover/register.yaml
    eventually 60 "register writes in jishi" writes_in register jishi
    eventually 60 "register is armed" as li.na@$hub kubectl wait dap/register --for=condition=FailoverArmed --timeout=1s
    for agent in agent-1 agent-2; do
        show operator@jishi playground fault kill jishi "$agent"
        playground fault kill jishi "$agent"
    done
    eventually 60 "only its agents are silent" witness_is jishi AgentDown
    run zhao.min@$hub kubectl get dcn jishi
    as li.na@$hub kubectl get failover -o name | grep -q /register- && fail "it moved with its agents alone"
    show operator@jishi playground fault freeze jishi
    playground fault freeze jishi
    eventually 60 "the verdict" witness_is jishi Lost
    failover="register-$(incident)"
    eventually 90 "register moved" succeeded "$failover"
    eventually 30 "register writes in jiyidong" writes_in register jiyidong
    answers 'PermitExpired' li.na@$hub kubectl get failover "$failover"
    playground heal jishi
    eventually 60 "it returned" witness_is jishi Returned
}

without_a_fence() {
    local failover
    step "A loss without any fence: nothing exclusive moves before two people of two organisations say so" "无隔离手段时，须两家单位两人确认"
    run li.na@$hub kubectl apply -f examples/failover/archive.yaml
    eventually 60 "archive writes in jishi" writes_in archive jishi
    show operator@jishi playground fault kill jishi gate-run-001
    playground fault kill jishi gate-run-001
    eventually 60 "it says that the fence is missing" as li.na@$hub kubectl wait dap/archive \
        --for='jsonpath={.status.conditions[?(@.type=="FailoverArmed")].reason}=FenceUnavailable' --timeout=1s
    playground fault freeze jishi
    eventually 60 "the verdict" witness_is jishi Lost
    failover="archive-$(incident)"
    eventually 60 "it waits" as li.na@$hub kubectl wait "failover/$failover" \
        --for='jsonpath={.status.conditions[?(@.type=="Complete")].reason}=FencingUnconfirmed' --timeout=1s
    answers 'FencingUnconfirmed' li.na@$hub kubectl get failover "$failover"
    run zhang.wei@$hub kubectl xiangyun failover confirm-fence "$failover" -n dept-yibao --comment 机房已断电
    run wang.fang@$hub kubectl xiangyun failover confirm-fence "$failover" -n dept-yibao --comment 现场已确认
    eventually 90 "archive moved" succeeded "$failover"
    eventually 30 "archive writes in jiyidong" writes_in archive jiyidong
    run li.na@$hub kubectl xiangyun failover status "$failover"
    playground heal jishi
}

counted() {
    step "What the client counted, and what the writers wrote" "客户端计数与写入核验"
    kill "$client"
    wait "$client" || true
    client=''
    tail -n 1 "$dir/client.json"
    ! grep -q '"ok":0,' "$dir/client.json" || fail "nobody answered the client"
    playground writes >"$dir/writes.json"
    grep -E '"writes":|"place":|"epoch":|dept-yibao/' "$dir/writes.json"
    ! grep -E 'Interleaved|SameEpoch|Backwards|Lost' "$dir/writes.json" || fail "somebody wrote twice"
    echo "no two places ever wrote for one application | 未发生双写"
}

summary() {
    cat <<END

${bold}$steps steps behaved as told, in $SECONDS s. The cloud goes on running. | ${steps}个步骤均符合预期，云仍在运行。${plain}
The end: make demo-failover-down
END
}

story() {
    applications
    a_loss
    and_back
    without_agents
    without_a_fence
    counted
    summary
}

case ${1:-up} in
    up)
        [[ $EUID -eq 0 ]] || fail "real processes behind gates need root"
        build
        start
        story
        ;;
    down) down ;;
    *) echo "usage: $0 [up|down]" >&2 && exit 2 ;;
esac
