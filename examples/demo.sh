#!/usr/bin/env bash
# The first hour of a provincial cloud, on one machine: `make demo`. Every command is real and shown with who gives it;
# a step that does not behave as it is told ends the demo with an error. `make demo-down` removes everything.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source examples/words.sh

# Sums lines of `cpu memory`, as Kubernetes writes them, to `vCPU bytes`.
total() {
    awk '
        function plain(text,  unit, number) {
            number = text + 0; unit = text; sub(/^[0-9.]+/, "", unit)
            if (unit == "") return number
            if (unit == "m") return number / 1000
            if (sub(/i$/, "", unit)) return number * 1024 ^ index("KMGTPE", unit)
            return number * 1000 ^ index("kMGTPE", unit)
        }
        NF { cpu += plain($1); memory += plain($2) }
        END { printf "%.0f %.0f\n", cpu, memory }
    '
}

nodes_of() { # CENTRE
    as "admin@$1" kubectl get nodes -o jsonpath='{range .items[*]}{.status.allocatable.cpu} {.status.allocatable.memory}{"\n"}{end}'
}

gross_of_pools() {
    as zhao.min@hub kubectl get quotapools -o jsonpath='{range .items[?(@.spec.architecture)]}{.status.total.gross.cpu} {.status.total.gross.memory}{"\n"}{end}'
}

nodes_and_pools_agree() {
    [[ $(gross_of_pools | total) == "$nodes" ]]
}

both_centres_hold() { # NAMESPACE: the quota of each centre is there
    local centre
    for centre in "${metro[@]}"; do
        as "admin@$centre" kubectl get resourcequota xiangyun -n "$1" >/dev/null || return 1
    done
}

start() {
    step "Three centres and their hub: real API servers, etcd and schedulers; simulated nodes" "三个中心与管理面：真实组件，模拟节点"
    [[ ! -e $dir/state.json ]] || "$bin/playground" --dir "$dir" down
    "$bin/playground" --dir "$dir" up --profile full >/dev/null || fail "the cloud did not start"
}

capacity() {
    step "The platform team names centres, pools and the tree of tenants" "平台组登记数据中心、资源池与租户树"
    run zhao.min@hub kubectl apply -f examples/00-centres.yaml -f examples/10-pools.yaml -f examples/20-tenants.yaml
    run zhao.min@hub kubectl wait dcn --all --for=condition=Ready --timeout=60s
    run zhao.min@hub kubectl wait dept --all --for=condition=Ready --timeout=60s
    run zhao.min@hub kubectl get dcn,dept

    step "Gross capacity of the pools is the sum of the nodes, to the byte" "资源池总量与节点之和逐字节相等"
    nodes=$(for centre in "${metro[@]}"; do nodes_of "$centre"; done | total)
    eventually 60 "the pools show what the nodes have" nodes_and_pools_agree
    echo "kubectl get nodes, both metro centres: ${nodes% *} vCPU, ${nodes#* } bytes"
    echo "kubectl get quotapools, gross:         $(gross_of_pools | total | sed 's/ / vCPU, /') bytes"
    [[ $nodes == "31800 135000000000000" ]] || fail "expected 31800 vCPU and 135 TB"
    run zhao.min@hub kubectl wait qpool --all --for=condition=Ready --timeout=60s
    run zhao.min@hub kubectl get qpool
}

first_grant() {
    local begin took
    step "A department asks; first for a quote, which applies nothing" "部门先询价，再提交申请"
    answers 'x86' li.na@hub kubectl xiangyun quote -f examples/requests/1-granted.yaml
    run li.na@hub kubectl apply -f examples/requests/1-granted.yaml
    run li.na@hub kubectl wait rreq/yibao-settlement --for=condition=Approved=False --timeout=30s
    answers 'AwaitingApproval' li.na@hub kubectl xiangyun why rreq/yibao-settlement

    step "Nobody approves their own request" "不得审批自己的申请"
    self_approval

    step "Two levels are two people" "两级审批须两人"
    run zhang.wei@hub kubectl xiangyun approve rreq/yibao-settlement -n dept-yibao --comment 同意
    begin=$(now)
    # Looks from the side, because `approve` itself waits until the approval counts.
    (eventually 30 "both centres have the quota" both_centres_hold dept-yibao && since "$begin" >"$dir/took") &
    run wang.fang@hub kubectl xiangyun approve rreq/yibao-settlement -n dept-yibao --comment 同意
    wait $! || exit 1
    took=$(<"$dir/took")
    echo "in force in both centres $took s after the second person was asked | 自第二人审批起 $took 秒在两中心生效"
    run li.na@hub kubectl wait rreq/yibao-settlement --for=condition=Provisioned --timeout=30s
    run li.na@hub kubectl get rreq
    answers 'GRANTED' li.na@hub kubectl xiangyun why rreq/yibao-settlement

    step "The ledger has charged it in each centre: all of it, so that one centre can carry it alone" "台账在每个中心按单中心可承载全额计量"
    answers 'jishi +cpu 256' sun.li@hub kubectl get quotaledger province \
        -o jsonpath='{range .spec.pools[?(@.name=="x86")].centres[*]}x86 {.name} cpu {.charged.cpu} of {.committable.cpu}{"\n"}{end}'
}

# Ready copies of a Deployment in each centre.
copies_of() { # DEPLOYMENT
    local centre copies=()
    for centre in "${metro[@]}"; do
        copies+=("$(as "admin@$centre" kubectl get deploy "$1" -n dept-yibao -o jsonpath='{.status.readyReplicas}')")
    done
    echo "${copies[*]}"
}

runs_as() { # DEPLOYMENT "COPIES COPIES"
    [[ $(copies_of "$1") == "$2" ]]
}

self_approval() {
    local uid
    uid=$(as li.na@hub kubectl get rreq yibao-settlement -o jsonpath='{.metadata.uid}')
    sed "s/REQUEST_UID/$uid/" examples/requests/5-self-approval.yaml >"$dir/self-approval.yaml"
    # Even if somebody put her into the approvers' groups.
    refused 'separation of duties|管运分离' admin@hub kubectl create -f "$dir/self-approval.yaml" \
        --as li.na --as-group yibao-admins --as-group xiangyun:approvers --as-group xiangyun:approvers:l1
}

in_the_centres() {
    local centre pod
    step "In each centre it became plain Kubernetes objects, which hold while we are down" "在两中心落为原生对象，控制面停机仍有效"
    for centre in "${metro[@]}"; do
        run "admin@$centre" kubectl get resourcequota,limitrange,networkpolicy,rolebinding -n dept-yibao
    done

    step "A pod of the department runs on a node of its pool; one that is larger than the share is refused" "容器组只在本池节点运行，超出份额即被拒绝"
    run li.na@jishi kubectl apply -n dept-yibao -f examples/pods/runs.yaml
    run li.na@jishi kubectl wait pod/web -n dept-yibao --for=condition=Ready --timeout=60s
    answers 'x86-[0-9]+' li.na@jishi kubectl get pod web -n dept-yibao -o wide
    pod=$(as li.na@jishi kubectl get pod web -n dept-yibao -o jsonpath='{.spec.nodeName}')
    answers '^x86$' admin@jishi kubectl get node "$pod" -o 'jsonpath={.metadata.labels.xiangyun\.io/pool}{"\n"}'
    refused 'exceeded quota' li.na@jishi kubectl apply -n dept-yibao -f examples/pods/too-large.yaml
}

an_application() {
    local centre what
    step "An application of three tiers: plain manifests in the hub, and one object that runs them in both centres" "三层应用：管理面存放普通清单，一个分派对象使其在两中心运行"
    run li.na@hub kubectl apply -f examples/50-placement.yaml
    run li.na@hub kubectl wait dap/shop --for=condition=Ready --timeout=120s
    answers 'shop .*jishi 6/6, jiyidong 5/5.*Running' li.na@hub kubectl get dap
    for centre in "${metro[@]}"; do
        run "li.na@$centre" kubectl get deploy,service,hpa,pdb -n dept-yibao
        for what in configmap/shop-settings secret/shop-keys serviceaccount/shop; do
            run "li.na@$centre" kubectl get "$what" -n dept-yibao -o name
        done
    done
    runs_as shop-web "2 2" && runs_as shop-api "3 2" && runs_as shop-cache "1 1" ||
        fail "copies in the centres: web $(copies_of shop-web), API $(copies_of shop-api), cache $(copies_of shop-cache)"

    step "Somebody stops it by hand in one centre; it is put right within seconds" "有人在一个中心手工停止，数秒内自动纠正"
    run li.na@jiyidong kubectl scale deploy/shop-api -n dept-yibao --replicas=0
    run li.na@jiyidong kubectl wait deploy/shop-api -n dept-yibao --for='jsonpath={.spec.replicas}=2' --timeout=30s
    eventually 60 "the API runs on both sides again" runs_as shop-api "3 2"

    step "A new version: the template changes, both centres roll, and rollout status speaks for both" "发布新版本：修改模板，两中心滚动更新，rollout status 汇总两侧"
    run li.na@hub kubectl set image deploy/shop-api api=registry.invalid/shop/api:2
    run li.na@hub kubectl rollout status deploy/shop-api --timeout=90s
    for centre in "${metro[@]}"; do
        answers 'shop/api:2$' "li.na@$centre" kubectl get deploy shop-api -n dept-yibao \
            -o 'jsonpath={.spec.template.spec.containers[0].image}{"\n"}'
    done
    run li.na@hub kubectl wait dap/shop --for=condition=Ready --timeout=60s
}

more_requests() {
    step "One request over three pools, all or nothing: x86, cards, storage" "一次申请跨三池，同时授予或都不授予"
    run li.na@hub kubectl apply -f examples/requests/2-two-pools.yaml
    run zhang.wei@hub kubectl xiangyun approve rreq/ocr-2026 -n dept-yibao --comment 同意
    run li.na@hub kubectl wait rreq/ocr-2026 --for=condition=Provisioned --timeout=30s
    answers 'gpu-inference' li.na@hub kubectl xiangyun why rreq/ocr-2026
    run admin@jiyidong kubectl get resourcequota -A -l app.kubernetes.io/managed-by=xiangyun-agent

    step "A full pool: the request waits, and says why, how long, and what would fit instead" "资源池已满：申请等待，并说明原因、时间与替代方案"
    run wu.gang@hub kubectl apply -f examples/requests/3a-train-base.yaml
    run zhang.wei@hub kubectl xiangyun approve rreq/train-base -n dept-jyt
    run wang.fang@hub kubectl xiangyun approve rreq/train-base -n dept-jyt
    run wu.gang@hub kubectl wait rreq/train-base --for=condition=QuotaReserved --timeout=30s
    run wu.gang@hub kubectl apply -f examples/requests/3b-train-lab.yaml
    run zhang.wei@hub kubectl xiangyun approve rreq/train-lab -n dept-jyt
    run wu.gang@hub kubectl wait rreq/train-lab --for=condition=Approved --timeout=30s
    run wu.gang@hub kubectl wait rreq/train-lab --for='jsonpath={.status.conditions[?(@.type=="Ready")].reason}=WaitingForQuota' --timeout=30s
    answers 'WaitingForQuota.*short 4' wu.gang@hub kubectl xiangyun why rreq/train-lab

    step "What can never be is refused at once, in words" "不可能满足或不合规的申请当场拒绝并说明"
    refused 'ExceedsMaxQuota' wu.gang@hub kubectl apply -f examples/requests/4-never-fits.yaml
    refused 'classified' li.na@hub kubectl apply -f examples/requests/6-classified.yaml
    refused 'MLPS level 4' li.na@hub kubectl apply -f examples/requests/7-mlps4.yaml
}

summary() {
    step "The province on one page" "全省一览"
    run zhao.min@hub kubectl xiangyun status
    cat <<END

${bold}$steps steps behaved as told, in $SECONDS s. The cloud goes on running. | ${steps}个步骤均符合预期，云仍在运行。${plain}

${DEMO_STEPS:+  $bin/playground shell                # its namespaces; in there:
}  export PATH=$tools:$bin:\$PATH
  export KUBECONFIG=$(kubeconfig li.na@hub)     # a department; $dir/kubeconfigs has everybody else
  kubectl get rreq,dap
  kubectl delete dap/shop                                # takes the application away in both centres; the templates stay
  kubectl apply -f examples/requests/8-release.yaml      # give the grant back
  playground fault cut jishi; playground heal            # break something

The end: make demo-down
END
}

main() {
    build
    start
    [[ $EUID -eq 0 ]] || exec "$bin/playground" --dir "$dir" shell -- \
        env DEMO_STEPS=$steps DEMO_SECONDS=$SECONDS "$PWD/examples/demo.sh" story
    story
}

story() {
    capacity
    first_grant
    in_the_centres
    an_application
    more_requests
    summary
}

case ${1:-up} in
    up) main ;;
    story) story ;;
    down) down ;;
    *) echo "usage: $0 [up|down]" >&2 && exit 2 ;;
esac
