//! Certificates and keys of a cloud: one authority for serving and for all people, another one for etcd.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SigningKey,
};

use crate::access;
use crate::arbiter;
use crate::place::{Place, Profile, port};
use crate::state::State;
use crate::users::{ADMIN, USERS, User};

/// First address of the service range, where clusters serve `kubernetes.default`.
const SERVICE_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// Position of the subject in a certificate of version 3.
const SUBJECT_FIELD: usize = 5;
const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
const ORGANISATION: &[u64] = &[2, 5, 4, 10];

type Authority = Issuer<'static, KeyPair>;

/// Writes all certificates, keys and kubeconfigs of a cloud.
pub(crate) fn write_all(state: &State) -> Result<()> {
    let pki = state.dir.join("pki");
    let kubeconfigs = state.dir.join("kubeconfigs");
    for dir in [&pki, &kubeconfigs] {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    let people = authority(&pki, "ca", "xiangyun playground")?;
    let stores = authority(&pki, "etcd-ca", "xiangyun playground etcd")?;
    for (place, net) in &state.places {
        let names = serving_names(net.address);
        issue(
            &pki,
            &format!("serving-{place}"),
            &people,
            "kube-apiserver",
            &[],
            names.clone(),
        )?;
        issue(&pki, &format!("etcd-{place}"), &stores, arbiter::STORE, &[], names)?;
    }
    issue(&pki, arbiter::CLIENT, &stores, arbiter::CLIENT, &[], Vec::new())?;
    for cluster in state.profile.centres().iter().map(|c| c.name()).chain(["hub"]) {
        let key = KeyPair::generate()?;
        write_private(
            &pki.join(format!("serviceaccounts-{cluster}.key")),
            &key.serialize_pem(),
        )?;
        fs::write(pki.join(format!("serviceaccounts-{cluster}.pub")), key.public_key_pem())?;
    }
    for user in USERS {
        issue(&pki, &user.file_name(), &people, user.name, user.groups, Vec::new())?;
        write_kubeconfigs(state, &pki, &kubeconfigs, user)?;
    }
    Ok(())
}

fn write_kubeconfigs(state: &State, pki: &Path, dir: &Path, user: &User) -> Result<()> {
    for (cluster, place, number, centre) in clusters(state.profile) {
        if user.reaches(centre) {
            let server = format!("https://{}:{number}", state.address(place)?);
            let file = dir.join(kubeconfig_file(&cluster, user));
            write_private(&file, &access::kubeconfig(&cluster, &server, pki, user))?;
        }
    }
    Ok(())
}

/// Every name that a kubeconfig can have, with the place and port of its server, and the centre for a centre's own
/// cluster.
fn clusters(profile: Profile) -> Vec<(String, Place, u16, Option<Place>)> {
    let mut all = Vec::new();
    for (index, place) in profile.hub_places().iter().enumerate() {
        if index == 0 {
            all.push(("hub".to_owned(), *place, port::HUB_APISERVER, None));
        }
        all.push((format!("hub@{place}"), *place, port::HUB_APISERVER, None));
    }
    for place in profile.centres() {
        all.push((place.name().to_owned(), *place, port::APISERVER, Some(*place)));
    }
    all
}

/// File name of a kubeconfig: `CLUSTER.yaml` for the administrator, `CLUSTER-USER.yaml` for others.
pub(crate) fn kubeconfig_file(cluster: &str, user: &User) -> String {
    if user.name == ADMIN {
        format!("{cluster}.yaml")
    } else {
        format!("{cluster}-{}.yaml", user.file_name())
    }
}

fn serving_names(address: Ipv4Addr) -> Vec<String> {
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "127.0.0.1",
    ];
    let addresses = [address.to_string(), SERVICE_ADDRESS.to_string()];
    names.into_iter().map(str::to_owned).chain(addresses).collect()
}

fn authority(pki: &Path, file: &str, name: &str) -> Result<Authority> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    fs::write(pki.join(format!("{file}.crt")), params.self_signed(&key)?.pem())?;
    write_private(&pki.join(format!("{file}.key")), &key.serialize_pem())?;
    Ok(Issuer::new(params, key))
}

fn issue(pki: &Path, file: &str, by: &Authority, name: &str, groups: &[&str], hosts: Vec<String>) -> Result<()> {
    let key = KeyPair::generate()?;
    let serves = !hosts.is_empty();
    let mut params = CertificateParams::new(hosts)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if serves {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    let draft = params.signed_by(&key, by)?;
    let signed = with_subject(draft.der(), name, groups, by.key())?;
    fs::write(
        pki.join(format!("{file}.crt")),
        pem::encode(&pem::Pem::new("CERTIFICATE", signed)),
    )?;
    write_private(&pki.join(format!("{file}.key")), &key.serialize_pem())
}

/// The certificate with another subject, signed again. rcgen's names hold each attribute once, but a user has one
/// organisation for every group.
fn with_subject(draft: &[u8], name: &str, groups: &[&str], key: &KeyPair) -> Result<Vec<u8>> {
    let (body, algorithm) = yasna::parse_der(draft, |r| {
        r.read_sequence(|r| {
            let body = r.next().read_der()?;
            let algorithm = r.next().read_der()?;
            r.next().read_der()?;
            Ok((body, algorithm))
        })
    })
    .context("cannot read the drafted certificate")?;
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is not general over both lifetimes"
    )]
    let mut fields = yasna::parse_der(&body, |r| r.collect_sequence_of(|r| r.read_der()))
        .context("cannot read the drafted certificate's fields")?;
    *fields
        .get_mut(SUBJECT_FIELD)
        .context("the drafted certificate has no subject")? = subject(name, groups);
    let body = yasna::construct_der(|w| {
        w.write_sequence(|w| fields.iter().for_each(|field| w.next().write_der(field)));
    });
    let signature = key.sign(&body)?;
    Ok(yasna::construct_der(|w| {
        w.write_sequence(|w| {
            w.next().write_der(&body);
            w.next().write_der(&algorithm);
            w.next().write_bitvec_bytes(&signature, signature.len() * 8);
        });
    }))
}

/// A distinguished name: one organisation for each group, then the common name.
fn subject(name: &str, groups: &[&str]) -> Vec<u8> {
    let parts = groups
        .iter()
        .map(|group| (ORGANISATION, *group))
        .chain([(COMMON_NAME, name)]);
    yasna::construct_der(|w| {
        w.write_sequence(|w| {
            for (kind, value) in parts {
                w.next().write_set(|w| {
                    w.next().write_sequence(|w| {
                        w.next().write_oid(&yasna::models::ObjectIdentifier::from_slice(kind));
                        w.next().write_utf8_string(value);
                    });
                });
            }
        });
    })
}

fn write_private(file: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(file);
    let written = opened.and_then(|mut f| f.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_is_an_organisation() {
        let name = subject("zhang.wei", &["xiangyun:approvers", "org:zhengshuju"]);
        let values = yasna::parse_der(&name, |r| {
            r.collect_sequence_of(|r| {
                r.read_set(|r| {
                    r.next(&[yasna::tags::TAG_SEQUENCE])?.read_sequence(|r| {
                        let kind = r.next().read_oid()?;
                        Ok((kind.to_string(), r.next().read_utf8string()?))
                    })
                })
            })
        });
        let values = values.unwrap();
        assert_eq!(values[0], ("2.5.4.10".into(), "xiangyun:approvers".into()));
        assert_eq!(values[1], ("2.5.4.10".into(), "org:zhengshuju".into()));
        assert_eq!(values[2], ("2.5.4.3".into(), "zhang.wei".into()));
    }
}
