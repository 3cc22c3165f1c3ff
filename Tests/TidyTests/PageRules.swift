import Foundation
import Testing

/// The house rules of the web page in `ui/` that need no browser.
@Suite("House rules of the page")
struct PageRules {
    @Test("no file is too long to read at a sitting")
    func fileLength() throws {
        let files = try Self.files()
        #expect(files.contains { $0.hasSuffix(".js") } && files.contains { $0.hasSuffix(".css") })
        for file in files {
            let lines = try Repository.text(file).split(separator: "\n", omittingEmptySubsequences: false).count - 1
            #expect(lines <= 300, "\(file): \(lines) lines; cut it into files of one idea each")
        }
    }

    @Test(
        "no script takes text for HTML or code, or keeps anything beyond the tab",
        arguments: [
            "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser", "setHTML", "eval(",
            "new Function", "localStorage", "indexedDB", "document.cookie", "javascript:", "import(",
        ])
    func forbiddenWords(word: String) throws {
        for file in try Self.files() where file.hasSuffix(".js") {
            #expect(try !Repository.text(file).contains(word), "\(file): '\(word)' is not for the page")
        }
    }

    @Test("nothing is asked of other hosts")
    func noOtherHosts() throws {
        // What drawings are called in XML; nobody fetches it.
        let names = "http://www.w3.org/2000/svg"
        for file in try Self.files() {
            let text = try Repository.text(file).replacingOccurrences(of: names, with: "")
            #expect(!text.contains("http:") && !text.contains("https:") && !text.contains("\"//"), "\(file)")
        }
    }

    @Test("the markup holds no script, no style and no handler of its own")
    func nothingInline() throws {
        let page = try Repository.text("ui/index.html")
        #expect(page.firstMatch(of: /<script(?![^>]*\ssrc=)/)?.output == nil)
        #expect(page.firstMatch(of: /<style|\sstyle=|\son[a-z]+=/)?.output == nil)
        for drawing in try Self.files() where drawing.hasSuffix(".svg") {
            let text = try Repository.text(drawing)
            #expect(text.firstMatch(of: /<script|<style|\sstyle=|\son[a-z]+=/)?.output == nil, "\(drawing)")
        }
    }

    @Test("the page names each of its files, and only files that exist")
    func filesExist() throws {
        let page = try Repository.text("ui/index.html")
        var named: Set<String> = []
        for match in page.matches(of: /(?:href|src)="([^"#][^"]*)"/) { named.insert("ui/\(match.1)") }
        let files = Set(try Self.files())
        #expect(named.subtracting(files).isEmpty)
        // Scripts and styles only: drawings may be named by styles.
        #expect(files.subtracting(named).filter { $0.hasSuffix(".js") || $0.hasSuffix(".css") }.isEmpty)
    }

    @Test("the page's proxy sets the client's address, and passes on no address that the client claims")
    func forwardedFor() throws {
        let locations = try Repository.text("deployments/nginx.conf").components(separatedBy: "location ").dropFirst()
        let proxies = locations.filter { $0.contains("proxy_pass") }
        #expect(!proxies.isEmpty)
        for location in proxies {
            #expect(location.contains("proxy_set_header X-Forwarded-For $remote_addr;"), "\(location)")
            #expect(location.contains("proxy_set_header Forwarded \"\";"), "\(location)")
            #expect(!location.contains("$proxy_add_x_forwarded_for") && !location.contains("$http_"), "\(location)")
        }
    }

    /// Every file below `ui/`, from the repository's root.
    private static func files() throws -> [String] {
        let walk = FileManager.default.enumerator(atPath: Repository.root + "/ui")
        let names = try #require(walk).compactMap { $0 as? String }
        return names.filter { ($0 as NSString).pathExtension != "" }.map { "ui/\($0)" }
    }
}
